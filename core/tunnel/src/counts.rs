//! What the slow half refused, by reason. Silence is the answer to all of it: a stranger learns nothing.

/// Handshake messages that were not acted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not a handshake message, or not of its length.
    pub malformed: u64,
    /// The first MAC was not made with our public key.
    pub wrong_mac: u64,
    /// More than the limits of the second allow.
    pub over_limit: u64,
    /// Answered with a cookie only, because we were under load.
    pub cookies_sent: u64,
    /// Authentication failed.
    pub forged: u64,
    /// A timestamp that is not newer than the last.
    pub replayed: u64,
    /// Two initiations of one peer too close to each other.
    pub flooded: u64,
    /// For a handshake that we are not in.
    pub unasked: u64,
    /// From a static key that is no peer.
    pub unknown_peer: u64,
}
