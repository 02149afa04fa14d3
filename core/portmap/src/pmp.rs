//! NAT-PMP (RFC 6886).

use std::net::Ipv4Addr;

/// Asks for the external address.
pub(crate) const ASK_ADDRESS: [u8; 2] = [0, 0];
const MAP_UDP: u8 = 1;
const RESPONSE: u8 = 128;

/// What a router answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// Its external address. Also what it announces after a restart.
    Address { result: u16, epoch: u32, external: Ipv4Addr },
    /// A mapping.
    Mapped { result: u16, epoch: u32, internal_port: u16, external_port: u16, lifetime: u32 },
    /// It does not know what was asked, or its version: a PCP request answered in the older form looks so too.
    Refused,
}

/// Asks for a mapping; a lifetime of 0 takes it away.
pub(crate) fn ask_mapping(internal_port: u16, external_port: u16, lifetime: u32) -> [u8; 12] {
    let mut request = [0; 12];
    request[1] = MAP_UDP;
    request[4..6].copy_from_slice(&internal_port.to_be_bytes());
    // Section 3.4: no external port is named when a mapping is taken away.
    let external_port = if lifetime == 0 { 0 } else { external_port };
    request[6..8].copy_from_slice(&external_port.to_be_bytes());
    request[8..12].copy_from_slice(&lifetime.to_be_bytes());
    request
}

/// Reads an answer; `None`: it is none.
pub(crate) fn read(bytes: &[u8]) -> Option<Response> {
    let [0, operation @ RESPONSE..=u8::MAX, ..] = *bytes else { return None };
    let result = u16_at(bytes, 2)?;
    let Some(epoch) = u32_at(bytes, 4) else { return (result != 0).then_some(Response::Refused) };
    match operation - RESPONSE {
        0 if result == 0 || bytes.len() >= 12 => {
            Some(Response::Address { result, epoch, external: Ipv4Addr::from(u32_at(bytes, 8)?) })
        }
        MAP_UDP if result == 0 || bytes.len() >= 16 => Some(Response::Mapped {
            result,
            epoch,
            internal_port: u16_at(bytes, 8)?,
            external_port: u16_at(bytes, 10)?,
            lifetime: u32_at(bytes, 12)?,
        }),
        _ => (result != 0).then_some(Response::Refused),
    }
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        assert_eq!(ask_mapping(41641, 41641, 7200), [0, 1, 0, 0, 0xa2, 0xa9, 0xa2, 0xa9, 0, 0, 0x1c, 0x20]);
        assert_eq!(ask_mapping(41641, 41641, 0), [0, 1, 0, 0, 0xa2, 0xa9, 0, 0, 0, 0, 0, 0]);
        let address = [0, 128, 0, 0, 0, 0, 1, 0, 203, 0, 113, 7];
        let external = Ipv4Addr::new(203, 0, 113, 7);
        assert_eq!(read(&address), Some(Response::Address { result: 0, epoch: 256, external }));
        let mapped = [0, 129, 0, 0, 0, 0, 1, 0, 0xa2, 0xa9, 0x12, 0x34, 0, 0, 0x1c, 0x20];
        let (internal_port, external_port) = (41641, 0x1234);
        let expected = Response::Mapped { result: 0, epoch: 256, internal_port, external_port, lifetime: 7200 };
        assert_eq!(read(&mapped), Some(expected));
        assert_eq!(read(&[0, 130, 0, 5, 0, 0, 1, 0]), Some(Response::Refused));
        assert_eq!(read(&ASK_ADDRESS), None, "a question is no answer");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(bytes: Vec<u8>) {
            if let Some(response) = read(&bytes) {
                prop_assert!(bytes[1] >= 128 && bytes.len() >= 4, "{response:?}");
            }
        }
    }
}
