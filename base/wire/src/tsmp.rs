//! TSMP: what nodes tell each other inside the tunnel, in IP packets of protocol 99. Hosts never see these.
//!
//! Here is what follows the IP header; `wattle-packet` builds the packet around it.
//! Source: tailscale `net/packet/tsmp.go`.

use wattle_keys::DiscoPublic;

/// The IP protocol number.
pub const PROTOCOL: u8 = 99;

const REJECT: u8 = b'!';
const PING: u8 = b'p';
const PONG: u8 = b'o';
const DISCO_KEY: u8 = b'a';
const MAYBE_BROKEN: u8 = 1;

/// What a TSMP packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// I have dropped your packet, and why.
    Reject(Reject),
    /// Is your end of the tunnel there?
    Ping {
        /// What the pong will carry.
        data: [u8; 8],
    },
    /// It is.
    Pong {
        /// That of the ping.
        data: [u8; 8],
        /// The port of the sender's peer API on this address; zero: none.
        peerapi_port: u16,
    },
    /// My disco key, in case control has not told you.
    DiscoKey(DiscoPublic),
}

/// A flow that was refused. Its source is the receiver of this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// IP protocol of the flow.
    pub protocol: u8,
    /// Why.
    pub reason: RejectReason,
    /// Source port of the flow.
    pub source_port: u16,
    /// Destination port of the flow.
    pub destination_port: u16,
    /// The sender only suspects that the flow will not work.
    pub maybe_broken: bool,
}

/// Why a flow was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// No rule allows it.
    Acl,
    /// The node takes no incoming connections.
    Shields,
    /// The node is a router whose host does not forward.
    ForwardingOff,
    /// The host's own firewall drops it.
    HostFirewall,
    /// The node does not know this transit address.
    UnknownTransit,
    /// A reason from the future.
    Other(u8),
}

impl RejectReason {
    const fn from_byte(byte: u8) -> Self {
        match byte {
            b'A' => Self::Acl,
            b'S' => Self::Shields,
            b'F' => Self::ForwardingOff,
            b'W' => Self::HostFirewall,
            b'T' => Self::UnknownTransit,
            other => Self::Other(other),
        }
    }

    const fn to_byte(self) -> u8 {
        match self {
            Self::Acl => b'A',
            Self::Shields => b'S',
            Self::ForwardingOff => b'F',
            Self::HostFirewall => b'W',
            Self::UnknownTransit => b'T',
            Self::Other(other) => other,
        }
    }
}

impl Message {
    /// Reads the body of an IP packet; `None` when it is short or of an unknown type. Trailing bytes are ignored.
    pub fn decode(body: &[u8]) -> Option<Self> {
        let (kind, rest) = body.split_first()?;
        match *kind {
            REJECT => {
                let ([protocol, reason, s1, s2, d1, d2], flags) = rest.split_first_chunk()?;
                Some(Self::Reject(Reject {
                    protocol: *protocol,
                    reason: RejectReason::from_byte(*reason),
                    source_port: u16::from_be_bytes([*s1, *s2]),
                    destination_port: u16::from_be_bytes([*d1, *d2]),
                    maybe_broken: flags.first().is_some_and(|flags| flags & MAYBE_BROKEN != 0),
                }))
            }
            PING => rest.first_chunk().map(|data| Self::Ping { data: *data }),
            PONG => {
                let (data, rest) = rest.split_first_chunk()?;
                // Old senders leave the port off.
                let peerapi_port = rest.first_chunk().copied().map(u16::from_be_bytes).unwrap_or_default();
                Some(Self::Pong { data: *data, peerapi_port })
            }
            DISCO_KEY => rest.first_chunk().map(|key| Self::DiscoKey(DiscoPublic::from_bytes(*key))),
            _ => None,
        }
    }

    /// Appends the body of an IP packet to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Reject(reject) => {
                out.extend_from_slice(&[REJECT, reject.protocol, reject.reason.to_byte()]);
                out.extend_from_slice(&reject.source_port.to_be_bytes());
                out.extend_from_slice(&reject.destination_port.to_be_bytes());
                if reject.maybe_broken {
                    out.push(MAYBE_BROKEN);
                }
            }
            Self::Ping { data } => {
                out.push(PING);
                out.extend_from_slice(data);
            }
            Self::Pong { data, peerapi_port } => {
                out.push(PONG);
                out.extend_from_slice(data);
                out.extend_from_slice(&peerapi_port.to_be_bytes());
            }
            Self::DiscoKey(key) => {
                out.push(DISCO_KEY);
                out.extend_from_slice(key.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message() -> impl Strategy<Value = Message> {
        prop_oneof![
            any::<(u8, u8, u16, u16, bool)>().prop_map(|(protocol, reason, source_port, destination_port, broken)| {
                let reason = RejectReason::from_byte(reason);
                Message::Reject(Reject { protocol, reason, source_port, destination_port, maybe_broken: broken })
            }),
            any::<[u8; 8]>().prop_map(|data| Message::Ping { data }),
            any::<([u8; 8], u16)>().prop_map(|(data, peerapi_port)| Message::Pong { data, peerapi_port }),
            any::<[u8; 32]>().prop_map(|key| Message::DiscoKey(DiscoPublic::from_bytes(key))),
        ]
    }

    #[test]
    fn reject_has_the_documented_layout() {
        let reject = Reject {
            protocol: 6,
            reason: RejectReason::Acl,
            source_port: 0x1234,
            destination_port: 80,
            maybe_broken: true,
        };
        let mut out = Vec::new();
        Message::Reject(reject).encode(&mut out);
        assert_eq!(out, b"!\x06A\x12\x34\x00\x50\x01");
    }

    #[test]
    fn a_pong_of_an_old_sender_names_no_port() {
        assert_eq!(Message::decode(b"o12345678"), Some(Message::Pong { data: *b"12345678", peerapi_port: 0 }));
    }

    proptest! {
        #[test]
        fn messages_round_trip_also_with_bytes_behind(message in message(), future: Vec<u8>) {
            let mut out = Vec::new();
            message.encode(&mut out);
            prop_assert_eq!(Message::decode(&out), Some(message));
            // The one optional field of a reject stands at its end.
            if !matches!(message, Message::Reject(_)) {
                out.extend_from_slice(&future);
                prop_assert_eq!(Message::decode(&out), Some(message));
            }
        }

        #[test]
        fn truncations_never_read_as_the_message(message in message(), cut in any::<prop::sample::Index>()) {
            let mut out = Vec::new();
            message.encode(&mut out);
            let cut = cut.index(out.len());
            let shorter = Message::decode(&out[..cut]);
            // A pong whose port is cut off is that of an old sender, and equal when the port was zero.
            if !matches!(message, Message::Pong { peerapi_port: 0, .. }) {
                prop_assert_ne!(shorter, Some(message));
            }
        }

        #[test]
        fn random_bytes_are_handled(bytes: Vec<u8>) {
            let _ignored = Message::decode(&bytes);
        }
    }
}
