//! Tells askers how their address looks from here. Only requests of Tailscale-protocol clients are answered
//! (SOFTWARE and FINGERPRINT as `net/stun ParseBindingRequest` demands), so that it is no use for reflection.

use std::net::SocketAddr;

use wattle_wire::stun::{decode_request, encode_response};

/// Answers STUN binding requests and counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Responder {
    /// Requests answered.
    pub answered_total: u64,
    /// Packets that were no such request, and were ignored.
    pub malformed_total: u64,
}

impl Responder {
    /// Writes the answer for `packet` to `reply` and returns true, or returns false if there is none.
    pub fn answer(&mut self, packet: &[u8], from: SocketAddr, reply: &mut Vec<u8>) -> bool {
        reply.clear();
        let Ok(transaction) = decode_request(packet) else {
            self.malformed_total += 1;
            return false;
        };
        self.answered_total += 1;
        encode_response(transaction, from, reply);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wattle_wire::stun::{TransactionId, decode_response, encode_request};

    #[test]
    fn an_asker_learns_its_address() {
        let mut responder = Responder::default();
        let (from, mut reply) = ("203.0.113.7:4242".parse().unwrap(), Vec::new());
        assert!(responder.answer(&encode_request(TransactionId([7; 12])), from, &mut reply));
        assert_eq!(decode_response(&reply), Ok((TransactionId([7; 12]), from)));
        assert_eq!(responder, Responder { answered_total: 1, malformed_total: 0 });
    }

    proptest! {
        #[test]
        fn anything_else_is_counted_and_not_answered(packet: Vec<u8>) {
            let mut responder = Responder::default();
            let mut reply = vec![1];
            prop_assert!(!responder.answer(&packet, ([1, 2, 3, 4], 5).into(), &mut reply));
            prop_assert!(reply.is_empty());
            prop_assert_eq!(responder.malformed_total, 1);
        }
    }
}
