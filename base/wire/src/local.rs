//! What the daemon and its command line say to each other (LocalAPI), as JSON values with the official field names.
//!
//! Only what exists here has fields; official clients read what they know and miss the rest.
//! Source: tailscale `ipn/ipnstate/ipnstate.go`, `ipn/backend.go`, `ipn/prefs.go`, `client/tailscale/apitype`.

mod netcheck;
mod notify;
mod paths;
mod peer_relay;
mod ping;
mod prefs;
mod status;
#[cfg(test)]
mod tests;
mod who_is;

pub use netcheck::NetcheckReport;
pub use notify::{LoginFinished, Notify, Options, State, watch};
pub use paths::{PathCandidate, PathKind, PeerPaths};
pub use peer_relay::{PeerRelayClient, PeerRelaySession, PeerRelayStatus};
pub use ping::PingResult;
pub use prefs::{MaskedPrefs, Persist, Prefs};
pub use status::{ExitNodeStatus, PeerStatus, Status, TailnetStatus};
pub use who_is::WhoIsResponse;
