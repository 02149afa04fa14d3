//! STUN: how a node learns the address that its NAT gives it. Binding requests and their answers, nothing else.
//!
//! What it is not: a general STUN (RFC 8489) implementation. Relays answer only requests that carry the SOFTWARE text
//! and the fingerprint that official nodes send, so that they are of no use to amplify traffic.
//! Source: tailscale `net/stun/stun.go`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const HEADER_LENGTH: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];

const MAPPED_ADDRESS: u16 = 0x0001;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// What some servers send in place of [`XOR_MAPPED_ADDRESS`].
const XOR_MAPPED_ADDRESS_ALT: u16 = 0x8020;
const SOFTWARE: u16 = 0x8022;
const FINGERPRINT: u16 = 0x8028;

/// Eight bytes, so that it needs no padding.
const SOFTWARE_TEXT: [u8; 8] = *b"tailnode";
const FINGERPRINT_LENGTH: usize = 8;
/// The RFC's constant that keeps a fingerprint from being the checksum of another protocol.
const FINGERPRINT_XOR: u32 = 0x5354_554e;
const REQUEST_LENGTH: usize = HEADER_LENGTH + 4 + SOFTWARE_TEXT.len() + FINGERPRINT_LENGTH;

/// Tells one request from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 12]);

/// A packet that is not the STUN message it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StunError {
    /// Not STUN at all.
    #[error("this is not a STUN message")]
    NotStun,
    /// STUN, but not a binding request.
    #[error("this is not a STUN binding request")]
    NotRequest,
    /// STUN, but not a successful answer.
    #[error("this is not a successful STUN answer")]
    NotSuccess,
    /// The attributes do not fit into the message, or none has an address.
    #[error("the attributes of a STUN message are malformed")]
    Attributes,
    /// The request is not from software that we answer.
    #[error("a STUN request comes from foreign software")]
    ForeignSoftware,
    /// The fingerprint is missing or wrong.
    #[error("the fingerprint of a STUN message is missing or wrong")]
    Fingerprint,
}

/// Whether a packet is STUN. Cheap: made for every packet that comes in.
pub fn looks_like_stun(packet: &[u8]) -> bool {
    packet.len() >= HEADER_LENGTH && packet[0] & 0b1100_0000 == 0 && packet[4..8] == COOKIE
}

/// Whether a packet is a successful answer to a binding request.
pub fn looks_like_stun_response(packet: &[u8]) -> bool {
    looks_like_stun(packet) && packet.starts_with(&BINDING_SUCCESS)
}

/// A request as official nodes send it.
pub fn encode_request(transaction: TransactionId) -> [u8; REQUEST_LENGTH] {
    let mut out = Vec::with_capacity(REQUEST_LENGTH);
    write_header(BINDING_REQUEST, REQUEST_LENGTH - HEADER_LENGTH, transaction, &mut out);
    write_attribute(SOFTWARE, &SOFTWARE_TEXT, &mut out);
    let fingerprint = fingerprint(&out);
    write_attribute(FINGERPRINT, &fingerprint.to_be_bytes(), &mut out);
    let mut request = [0; REQUEST_LENGTH];
    request.copy_from_slice(&out);
    request
}

/// Reads a request, as strictly as official servers do.
pub fn decode_request(packet: &[u8]) -> Result<TransactionId, StunError> {
    let (kind, transaction) = read_header(packet)?;
    if kind != BINDING_REQUEST {
        return Err(StunError::NotRequest);
    }
    let (mut software, mut last) = (false, None);
    for attribute in Attributes(&packet[HEADER_LENGTH..]) {
        let (kind, value) = attribute?;
        software |= kind == SOFTWARE && value == SOFTWARE_TEXT;
        last = Some(kind);
    }
    if !software {
        return Err(StunError::ForeignSoftware);
    }
    match (last, has_valid_fingerprint(packet)) {
        (Some(FINGERPRINT), Some(true)) => Ok(transaction),
        _ => Err(StunError::Fingerprint),
    }
}

/// Appends the answer to a request: from where it came.
pub fn encode_response(transaction: TransactionId, seen_from: SocketAddr, out: &mut Vec<u8>) {
    let port = (seen_from.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]])).to_be_bytes();
    let mut value = [0; 20];
    value[2..4].copy_from_slice(&port);
    let length = match seen_from.ip().to_canonical() {
        IpAddr::V4(ip) => {
            value[1] = 1;
            value[4..8].copy_from_slice(&ip.octets());
            8
        }
        IpAddr::V6(ip) => {
            value[1] = 2;
            value[4..20].copy_from_slice(&ip.octets());
            20
        }
    };
    mask(&mut value[4..length], transaction);
    write_header(BINDING_SUCCESS, 4 + length, transaction, out);
    write_attribute(XOR_MAPPED_ADDRESS, &value[..length], out);
}

/// Reads an answer. XOR-MAPPED-ADDRESS counts; MAPPED-ADDRESS only where there is no other.
pub fn decode_response(packet: &[u8]) -> Result<(TransactionId, SocketAddr), StunError> {
    let (kind, transaction) = read_header(packet)?;
    if kind != BINDING_SUCCESS {
        return Err(StunError::NotSuccess);
    }
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let body = packet[HEADER_LENGTH..].get(..length).ok_or(StunError::Attributes)?;
    let (mut masked, mut plain) = (None, None);
    for attribute in Attributes(body) {
        match attribute? {
            (XOR_MAPPED_ADDRESS | XOR_MAPPED_ADDRESS_ALT, value) => {
                masked = Some(read_address(value, Some(transaction))?);
            }
            (MAPPED_ADDRESS, value) => plain = Some(read_address(value, None)?),
            _ => {}
        }
    }
    masked.or(plain).map(|address| (transaction, address)).ok_or(StunError::Attributes)
}

/// Whether the fingerprint at the end of a message is right; `None` when it ends otherwise.
pub fn has_valid_fingerprint(packet: &[u8]) -> Option<bool> {
    let (covered, attribute) = packet.split_last_chunk::<FINGERPRINT_LENGTH>()?;
    let [t0, t1, l0, l1, value @ ..] = *attribute;
    if covered.len() < HEADER_LENGTH || [t0, t1] != FINGERPRINT.to_be_bytes() || [l0, l1] != [0, 4] {
        return None;
    }
    Some(u32::from_be_bytes(value) == fingerprint(covered))
}

fn fingerprint(covered: &[u8]) -> u32 {
    crc32fast::hash(covered) ^ FINGERPRINT_XOR
}

fn read_header(packet: &[u8]) -> Result<([u8; 2], TransactionId), StunError> {
    if !looks_like_stun(packet) {
        return Err(StunError::NotStun);
    }
    let mut transaction = [0; 12];
    transaction.copy_from_slice(&packet[8..HEADER_LENGTH]);
    Ok(([packet[0], packet[1]], TransactionId(transaction)))
}

fn write_header(kind: [u8; 2], body_length: usize, transaction: TransactionId, out: &mut Vec<u8>) {
    out.extend_from_slice(&kind);
    // At most 36 here.
    out.extend_from_slice(&(body_length as u16).to_be_bytes());
    out.extend_from_slice(&COOKIE);
    out.extend_from_slice(&transaction.0);
}

/// Values written here have lengths that need no padding.
fn write_attribute(kind: u16, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
}

fn read_address(value: &[u8], masked_for: Option<TransactionId>) -> Result<SocketAddr, StunError> {
    let ([_, family, p0, p1], address) = value.split_first_chunk().ok_or(StunError::Attributes)?;
    let length = match family {
        1 => 4,
        2 => 16,
        _ => return Err(StunError::Attributes),
    };
    let mut octets = [0; 16];
    octets[..length].copy_from_slice(address.get(..length).ok_or(StunError::Attributes)?);
    let mut port = u16::from_be_bytes([*p0, *p1]);
    if let Some(transaction) = masked_for {
        mask(&mut octets[..length], transaction);
        port ^= u16::from_be_bytes([COOKIE[0], COOKIE[1]]);
    }
    let ip = match octets.first_chunk::<4>() {
        Some(four) if length == 4 => IpAddr::V4(Ipv4Addr::from(*four)),
        _ => Ipv6Addr::from(octets).to_canonical(),
    };
    Ok(SocketAddr::new(ip, port))
}

/// Hides an address from NATs that rewrite addresses in payloads, or shows it again (RFC 8489, 14.2).
fn mask(octets: &mut [u8], transaction: TransactionId) {
    for (octet, key) in octets.iter_mut().zip(COOKIE.iter().chain(&transaction.0)) {
        *octet ^= key;
    }
}

/// The attributes of a message, each padded to four bytes.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), StunError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let attribute = self.take_one();
        if attribute.is_none() {
            self.0 = &[];
        }
        Some(attribute.ok_or(StunError::Attributes))
    }
}

impl<'a> Attributes<'a> {
    fn take_one(&mut self) -> Option<(u16, &'a [u8])> {
        let ([t0, t1, l0, l1], rest) = self.0.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let (value, rest) = rest.split_at_checked(length.next_multiple_of(4))?;
        self.0 = rest;
        Some((u16::from_be_bytes([*t0, *t1]), &value[..length]))
    }
}

#[cfg(test)]
mod tests;
