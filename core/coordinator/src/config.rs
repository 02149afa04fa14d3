//! What the owner of the server has chosen, and what time it is.

use std::time::Duration;

use wattle_netmap::{DerpMap, Resolver};
use wattle_time::{Instant, UnixTime};

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For waiting.
    pub mono: Instant,
    /// For dates that outlive the process.
    pub wall: UnixTime,
}

/// Settings of a tailnet.
#[derive(Clone, Debug)]
pub struct Config {
    /// Suffix of all node names and name of the tailnet, such as `tail.example.com`.
    pub domain: String,
    /// The relays.
    pub derp: DerpMap,
    /// How long the key of a user's node is valid; `None`: for ever.
    pub key_lifetime: Option<Duration>,
    /// How long an ephemeral node may be offline before it is removed.
    pub ephemeral_after: Duration,
    /// Resolvers for names outside the tailnet; none: nodes keep their own.
    pub resolvers: Vec<Resolver>,
}

impl Config {
    /// The usual settings: keys last 180 days, ephemeral nodes go after half an hour.
    pub fn new(domain: String, derp: DerpMap) -> Self {
        Self {
            domain,
            derp,
            key_lifetime: Some(Duration::from_secs(180 * 86_400)),
            ephemeral_after: Duration::from_secs(30 * 60),
            resolvers: Vec::new(),
        }
    }
}
