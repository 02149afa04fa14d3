//! The X25519 key types. Each role has its own, so that a machine key cannot stand where a node key belongs.

use std::fmt;
use std::str::FromStr;

use crypto_box::SalsaBox;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::DiscoShared;
use crate::sealed_box::{self, NONCE_LENGTH, OpenError};
use crate::text::{self, ParseKeyError};

/// RFC 7748 clamping, done when a key is made so that stored and used bytes are the same.
fn clamp(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes[0] &= 248;
    bytes[31] = bytes[31] & 127 | 64;
    bytes
}

macro_rules! public_key {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// What the text form starts with.
            pub const PREFIX: &'static str = $prefix;

            /// From the 32 bytes that go over the wire.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes that go over the wire.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Whether this is the all-zero key, which stands for "none" on the wire.
            pub fn is_zero(&self) -> bool {
                self.0 == [0; 32]
            }

            /// The first eight hex digits, enough for a person to tell keys apart.
            pub fn short(&self) -> String {
                self.to_string()[$prefix.len()..][..8].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                text::write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseKeyError;

            fn from_str(text: &str) -> Result<Self, ParseKeyError> {
                text::parse(text, $prefix).map(Self)
            }
        }
    };
}

macro_rules! private_key {
    ($(#[$doc:meta])* $name:ident, $public:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Makes a key from 32 random bytes (clamped here), or reads one that was stored.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(clamp(bytes))
            }

            /// The secret bytes, for a key store or a handshake; nothing else should ask.
            pub const fn expose(&self) -> &[u8; 32] {
                &self.0
            }

            /// The public half.
            pub fn public(&self) -> $public {
                $public(PublicKey::from(&StaticSecret::from(self.0)).to_bytes())
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.ct_eq(&other.0).into()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(private half of {})", stringify!($name), self.public())
            }
        }
    };
}

/// Private keys that a state file holds have the text form `privkey:` and hex.
macro_rules! stored_key {
    ($name:ident) => {
        impl $name {
            /// The text for a state file. There is no `Display`, so that no log line can hold it by accident.
            pub fn to_secret_text(&self) -> String {
                struct Hex<'a>(&'a [u8; 32]);
                impl fmt::Display for Hex<'_> {
                    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        text::write_hex(self.0, f)
                    }
                }
                format!("privkey:{}", Hex(&self.0))
            }

            /// Reads what [`Self::to_secret_text`] wrote.
            pub fn from_secret_text(text: &str) -> Result<Self, ParseKeyError> {
                text::parse(text, "privkey:").map(Self::from_bytes)
            }
        }
    };
}

public_key! {
    /// Names a device to its coordination server: the static key of the control channel.
    MachinePublic, "mkey:"
}
public_key! {
    /// Names a node to its peers and relays: the WireGuard static key.
    NodePublic, "nodekey:"
}
public_key! {
    /// Seals path discovery messages. New at each start of a node.
    DiscoPublic, "discokey:"
}
public_key! {
    /// What a coordination server puts into the early payload of a control channel.
    ChallengePublic, "chalpub:"
}
private_key! {
    /// The private half of a [`MachinePublic`]: one per device and state file.
    MachinePrivate, MachinePublic
}
private_key! {
    /// The private half of a [`NodePublic`]: renewed at every re-authentication.
    NodePrivate, NodePublic
}
private_key! {
    /// The private half of a [`DiscoPublic`]: never stored.
    DiscoPrivate, DiscoPublic
}
stored_key!(MachinePrivate);
stored_key!(NodePrivate);

impl NodePublic {
    /// The key as plain hex without prefix, as DERP writes it into HTTP headers.
    pub fn to_hex(self) -> String {
        self.to_string()[Self::PREFIX.len()..].to_owned()
    }

    /// Reads plain hex without prefix.
    pub fn from_hex(hex: &str) -> Result<Self, ParseKeyError> {
        text::parse_hex(hex).map(Self)
    }
}

impl NodePrivate {
    /// Appends `plain`, sealed to `peer`, to `out` (nonce first): the form of the DERP login.
    pub fn seal_to(&self, peer: &NodePublic, nonce: &[u8; NONCE_LENGTH], plain: &[u8], out: &mut Vec<u8>) {
        sealed_box::seal(&self.boxed_with(&peer.0), nonce, plain, out);
    }

    /// Opens what `peer` sealed to us.
    pub fn open_from(&self, peer: &NodePublic, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        sealed_box::open(&self.boxed_with(&peer.0), sealed)
    }

    fn boxed_with(&self, peer: &[u8; 32]) -> SalsaBox {
        SalsaBox::new(&crypto_box::PublicKey::from(*peer), &crypto_box::SecretKey::from(self.0))
    }
}

impl DiscoPrivate {
    /// The precomputed box with a peer.
    pub fn shared(&self, peer: &DiscoPublic) -> DiscoShared {
        DiscoShared::new(self, peer)
    }

    pub(crate) fn boxed_with(&self, peer: &[u8; 32]) -> SalsaBox {
        SalsaBox::new(&crypto_box::PublicKey::from(*peer), &crypto_box::SecretKey::from(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_7748_public_key() {
        // RFC 7748 section 6.1, Alice's pair.
        let secret = "privkey:77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
        let public = "nodekey:8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
        assert_eq!(NodePrivate::from_secret_text(secret).map(|key| key.public().to_string()), Ok(public.to_owned()));
    }

    #[test]
    fn private_keys_do_not_print() {
        let key = NodePrivate::from_bytes([7; 32]);
        let secret = key.to_secret_text();
        assert!(!format!("{key:?}").contains(&secret["privkey:".len()..]));
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let node = NodePrivate::from_bytes([1; 32]).public().to_string();
        assert_eq!(node.parse::<MachinePublic>(), Err(ParseKeyError::Prefix { expected: "mkey:" }));
        assert_eq!("nodekey:00".parse::<NodePublic>(), Err(ParseKeyError::Hex));
    }

    proptest! {
        #[test]
        fn text_round_trips(bytes: [u8; 32]) {
            let key = NodePublic::from_bytes(bytes);
            prop_assert_eq!(key.to_string().parse(), Ok(key));
            prop_assert_eq!(NodePublic::from_hex(&key.to_hex()), Ok(key));
            let private = NodePrivate::from_bytes(bytes);
            prop_assert_eq!(NodePrivate::from_secret_text(&private.to_secret_text()), Ok(private));
        }

        #[test]
        fn any_text_is_handled(text in ".{0,100}") {
            let _ignored: Result<NodePublic, _> = text.parse();
        }

        #[test]
        fn boxes_open_for_the_pair_and_nobody_else(a: [u8; 32], b: [u8; 32], nonce: [u8; 24], plain: Vec<u8>, flip in 0usize..200) {
            let (a, b) = (DiscoPrivate::from_bytes(a), DiscoPrivate::from_bytes(b));
            prop_assume!(a != b);
            let mut sealed = Vec::new();
            a.shared(&b.public()).seal(&nonce, &plain, &mut sealed);
            prop_assert_eq!(sealed.len(), plain.len() + crate::BOX_OVERHEAD);
            let shared = b.shared(&a.public());
            prop_assert_eq!(shared.open(&sealed), Ok(plain));
            let at = flip % sealed.len();
            sealed[at] ^= 1;
            prop_assert_eq!(shared.open(&sealed), Err(OpenError));
        }
    }
}
