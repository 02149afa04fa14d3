//! The four message types as bytes: what is where. Integers are little-endian, all else is opaque here.
//! Source: the WireGuard paper 5.4; wireguard-go `device/noise-protocol.go`.

/// Bytes before the sealed packet: type, receiver index, counter.
pub const HEADER_LENGTH: usize = 16;
/// Bytes of the authentication tag after it.
pub const TAG_LENGTH: usize = 16;
/// Bytes that sealing adds, besides padding.
pub const OVERHEAD: usize = HEADER_LENGTH + TAG_LENGTH;
/// Plain text is padded with zeros to a multiple of this, so that lengths tell less.
const PADDING: usize = 16;

pub(crate) const INITIATION_LENGTH: usize = 148;
pub(crate) const RESPONSE_LENGTH: usize = 92;
pub(crate) const COOKIE_REPLY_LENGTH: usize = 64;
/// Both MACs, which end an initiation and a response.
pub(crate) const MACS_LENGTH: usize = 32;

const INITIATION: [u8; 4] = [1, 0, 0, 0];
const RESPONSE: [u8; 4] = [2, 0, 0, 0];
const COOKIE_REPLY: [u8; 4] = [3, 0, 0, 0];
pub(crate) const DATA: [u8; 4] = [4, 0, 0, 0];

/// What a WireGuard message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first message of a handshake.
    Initiation,
    /// The second.
    Response,
    /// "Prove your address first."
    CookieReply,
    /// A sealed packet: for an [`crate::Opener`].
    Data,
}

/// Tells WireGuard messages by their type word and length; none of disco, STUN and Geneve looks like one.
pub fn classify(message: &[u8]) -> Option<Kind> {
    let (head, _) = message.split_first_chunk::<4>()?;
    match (*head, message.len()) {
        (INITIATION, INITIATION_LENGTH) => Some(Kind::Initiation),
        (RESPONSE, RESPONSE_LENGTH) => Some(Kind::Response),
        (COOKIE_REPLY, COOKIE_REPLY_LENGTH) => Some(Kind::CookieReply),
        (DATA, OVERHEAD..) => Some(Kind::Data),
        _ => None,
    }
}

/// The receiver index of a data message.
pub fn receiver_index(message: &[u8]) -> Option<u32> {
    match classify(message) {
        Some(Kind::Data) => index_at(message, 4),
        _ => None,
    }
}

/// How long the message is that carries `plain_length` bytes.
pub const fn sealed_length(plain_length: usize) -> usize {
    HEADER_LENGTH + plain_length.next_multiple_of(PADDING) + TAG_LENGTH
}

pub(crate) fn index_at(message: &[u8], at: usize) -> Option<u32> {
    message.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

/// A handshake message without its MACs, being written.
pub(crate) fn initiation(sender: u32, noise: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(INITIATION_LENGTH);
    message.extend_from_slice(&INITIATION);
    message.extend_from_slice(&sender.to_le_bytes());
    message.extend_from_slice(noise);
    message
}

pub(crate) fn response(sender: u32, receiver: u32, noise: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(RESPONSE_LENGTH);
    message.extend_from_slice(&RESPONSE);
    message.extend_from_slice(&sender.to_le_bytes());
    message.extend_from_slice(&receiver.to_le_bytes());
    message.extend_from_slice(noise);
    message
}

pub(crate) fn cookie_reply(receiver: u32, nonce: &[u8; 24], sealed_cookie: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(COOKIE_REPLY_LENGTH);
    message.extend_from_slice(&COOKIE_REPLY);
    message.extend_from_slice(&receiver.to_le_bytes());
    message.extend_from_slice(nonce);
    message.extend_from_slice(sealed_cookie);
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_packet_is_a_keepalive_of_32_bytes() {
        assert_eq!(sealed_length(0), 32);
        assert_eq!(sealed_length(1), 48);
        assert_eq!(sealed_length(1280), 1312);
    }

    #[test]
    fn neighbours_on_the_socket_are_not_wireguard() {
        assert_eq!(classify(b"TS\xf0\x9f\x92\xac and a disco message that goes on for a while"), None);
        assert_eq!(classify(&[0x01, 0x01, 0x00, 0x0c]), None);
        assert_eq!(classify(&[4, 0, 0, 0]), None);
    }

    proptest! {
        #[test]
        fn only_data_has_a_receiver_index(message in proptest::collection::vec(0u8..6, 0..200)) {
            prop_assert_eq!(receiver_index(&message).is_some(), classify(&message) == Some(Kind::Data));
        }
    }
}
