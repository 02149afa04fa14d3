//! What a datagram is, as a box in the middle would tell from its first bytes.

/// A kind of datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Disco,
    Stun,
    Handshake,
    Data,
    Geneve,
    Other,
}

/// Magic of disco messages (tailscale `disco/disco.go`, `Magic`).
const DISCO_MAGIC: &[u8] = "TS💬".as_bytes();
/// RFC 8489 section 5.
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Protocols of peer relays (tailscale `net/packet/geneve.go`): disco and WireGuard.
const GENEVE_PROTOCOLS: [[u8; 2]; 2] = [[0x7a, 0x11], [0x7a, 0x12]];

impl Kind {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [1..=3, 0, 0, 0, ..] => Self::Handshake,
            [4, 0, 0, 0, ..] => Self::Data,
            _ if bytes.starts_with(DISCO_MAGIC) => Self::Disco,
            [0..0x40, _, _, _, cookie @ ..] if bytes.len() >= 20 && cookie.starts_with(&STUN_COOKIE) => Self::Stun,
            [0, _, a, b, ..] if bytes.len() >= 8 && GENEVE_PROTOCOLS.contains(&[*a, *b]) => Self::Geneve,
            _ => Self::Other,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Disco => "disco",
            Self::Stun => "STUN",
            Self::Handshake => "handshake",
            Self::Data => "data",
            Self::Geneve => "geneve",
            Self::Other => "other",
        }
    }
}

/// Several kinds of datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Disco messages outside of Geneve.
    pub const DISCO: Self = Self::one(Kind::Disco);
    /// STUN.
    pub const STUN: Self = Self::one(Kind::Stun);
    /// WireGuard initiations, responses and cookies.
    pub const HANDSHAKES: Self = Self::one(Kind::Handshake);
    /// WireGuard transport.
    pub const DATA: Self = Self::one(Kind::Data);
    /// What goes by a peer relay, disco or not.
    pub const GENEVE: Self = Self::one(Kind::Geneve);
    /// All else.
    pub const OTHER: Self = Self::one(Kind::Other);

    const fn one(kind: Kind) -> Self {
        Self(1 << kind as u8)
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn contains(self, kind: Kind) -> bool {
        self.0 & Self::one(kind).0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_tell_datagrams_apart_by_their_first_bytes() {
        let mut stun = [0; 20];
        stun[4..8].copy_from_slice(&STUN_COOKIE);
        for (bytes, kind) in [
            (&[1, 0, 0, 0, 9][..], Kind::Handshake),
            (&[4, 0, 0, 0, 9], Kind::Data),
            ("TS💬rest".as_bytes(), Kind::Disco),
            (&stun, Kind::Stun),
            (&[0, 0, 0x7a, 0x12, 0, 0, 1, 0, 4], Kind::Geneve),
            (&[0, 0, 0x7a, 0x12], Kind::Other),
            (&[], Kind::Other),
        ] {
            assert_eq!(Kind::of(bytes), kind, "{bytes:?}");
        }
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let both = Kinds::DISCO.and(Kinds::STUN);
        assert!(both.contains(Kind::Disco) && both.contains(Kind::Stun) && !both.contains(Kind::Data));
    }
}
