//! PCP, its MAP operation and announcements (RFC 6887).

use std::net::Ipv4Addr;

use crate::pmp::{u16_at, u32_at};

/// Names the mapping as ours: whoever does not know it cannot take it away.
pub(crate) type Nonce = [u8; 12];

const VERSION: u8 = 2;
const ANNOUNCE: u8 = 0;
const MAP: u8 = 1;
const RESPONSE: u8 = 128;
const UDP: u8 = 17;
const HEADER: usize = 24;

/// What a router says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// A mapping, or with a result other than 0 why there is none.
    Mapped {
        result: u8,
        epoch: u32,
        lifetime: u32,
        nonce: Nonce,
        internal_port: u16,
        external: (Option<Ipv4Addr>, u16),
    },
    /// It has restarted.
    Announced { epoch: u32 },
    /// Something was refused.
    Refused,
}

/// Asks for a mapping; a lifetime of 0 takes it away.
pub(crate) fn ask_mapping(own: Ipv4Addr, nonce: &Nonce, port: u16, wish: u16, lifetime: u32) -> Vec<u8> {
    let mut request = vec![VERSION, MAP, 0, 0];
    request.extend_from_slice(&lifetime.to_be_bytes());
    request.extend_from_slice(&own.to_ipv6_mapped().octets());
    request.extend_from_slice(nonce);
    request.extend_from_slice(&[UDP, 0, 0, 0]);
    request.extend_from_slice(&port.to_be_bytes());
    request.extend_from_slice(&wish.to_be_bytes());
    // Any IPv4 address.
    request.extend_from_slice(&Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
    request
}

/// Reads what a router says; `None`: it is nothing of PCP.
pub(crate) fn read(bytes: &[u8]) -> Option<Response> {
    let [VERSION, operation @ RESPONSE..=u8::MAX, _, result, ..] = *bytes else { return None };
    let (lifetime, epoch) = (u32_at(bytes, 4)?, u32_at(bytes, 8)?);
    match (operation - RESPONSE, bytes.get(HEADER..)?) {
        (ANNOUNCE, _) if result == 0 => Some(Response::Announced { epoch }),
        (MAP, map) if map.get(12) == Some(&UDP) => {
            let external: [u8; 16] = *map.get(20..)?.first_chunk()?;
            Some(Response::Mapped {
                result,
                epoch,
                lifetime,
                nonce: *map.first_chunk()?,
                internal_port: u16_at(map, 16)?,
                external: (std::net::Ipv6Addr::from(external).to_ipv4_mapped(), u16_at(map, 18)?),
            })
        }
        _ => (result != 0).then_some(Response::Refused),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A request turned into its answer.
    fn answer(request: &[u8], result: u8, external: Ipv4Addr, port: u16) -> Vec<u8> {
        let mut answer = request.to_vec();
        answer[1] |= RESPONSE;
        answer[3] = result;
        answer[8..24].fill(0);
        answer[8..12].copy_from_slice(&77u32.to_be_bytes());
        answer[42..44].copy_from_slice(&port.to_be_bytes());
        answer[44..60].copy_from_slice(&external.to_ipv6_mapped().octets());
        answer
    }

    #[test]
    fn a_request_is_sixty_bytes_and_its_answer_reads_back() {
        let (own, nonce) = (Ipv4Addr::new(192, 168, 1, 9), [7; 12]);
        let request = ask_mapping(own, &nonce, 41641, 41641, 7200);
        assert_eq!(request.len(), 60);
        assert_eq!(read(&request), None, "a question is no answer");
        let external = Ipv4Addr::new(203, 0, 113, 7);
        let expected = Response::Mapped {
            result: 0,
            epoch: 77,
            lifetime: 7200,
            nonce,
            internal_port: 41641,
            external: (Some(external), 5000),
        };
        assert_eq!(read(&answer(&request, 0, external, 5000)), Some(expected));
        for cut in 0..60 {
            let cut = answer(&request, 0, external, 5000)[..cut].to_vec();
            assert_eq!(read(&cut), None);
        }
    }

    #[test]
    fn an_announcement_tells_the_epoch() {
        let mut announcement = vec![0; 24];
        announcement[..2].copy_from_slice(&[2, 128]);
        announcement[11] = 3;
        assert_eq!(read(&announcement), Some(Response::Announced { epoch: 3 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(mut bytes in prop::collection::vec(any::<u8>(), 0..80), operation in 126u8..132) {
            if bytes.len() > 1 {
                bytes[..2].copy_from_slice(&[2, operation]);
            }
            let _read = read(&bytes);
        }
    }
}
