//! What is decided over a packet.

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let it in.
    Accept,
    /// It is empty: the peer's tunnel says that it is alive. There is nothing to let in.
    KeepAlive,
    /// Drop it.
    Drop(DropReason),
}

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// Too short for an IP packet.
    TooShort,
    /// Not IP, or a header contradicts itself.
    Malformed,
    /// To a multicast address.
    Multicast,
    /// To a link-local address.
    LinkLocal,
    /// To an address that is neither ours nor behind us.
    NotLocal,
    /// No rule allows it.
    NoRule,
    /// We take no incoming connections.
    ShieldsUp,
}

impl DropReason {
    /// All of them, for counters.
    pub const ALL: [Self; 7] = [
        Self::TooShort,
        Self::Malformed,
        Self::Multicast,
        Self::LinkLocal,
        Self::NotLocal,
        Self::NoRule,
        Self::ShieldsUp,
    ];

    /// The reason as a label of a counter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::Malformed => "malformed",
            Self::Multicast => "multicast",
            Self::LinkLocal => "link_local",
            Self::NotLocal => "not_local",
            Self::NoRule => "no_rule",
            Self::ShieldsUp => "shields_up",
        }
    }
}
