//! Addresses, routes and rules of the host, and news of their changes.
//!
//! What it is: what makes packets of this host find the tunnel and our own packets not: addresses on the TUN, routes
//! in a table of their own, and the rules that lead there, on Linux over netlink; and a watch over the host's other
//! links that says when the network changed.
//! What it is not: the TUN device, DNS, the firewall.
//! How to drive it: [`Host::open`] when the TUN exists; [`Host::apply`] with everything that shall be, each time
//! something changed: only differences are made. [`Host::clear`] takes all away. Read [`HostEvent`]s.
//! Invariants: nothing outside the TUN, table 52 and our four rules is ever altered. What somebody deletes comes back,
//! at a limited rate. When the [`Host`] is dropped, its traces go too.
#![forbid(unsafe_code)]

mod error;
mod host;
mod keeper;
mod kernel;
mod network;
mod rules;

pub use error::HostError;
pub use host::{Desired, Host, HostEvent, TunId};
pub use network::{DefaultRoute, Interface, Network};
pub use rules::{BYPASS_MARK, MARK_MASK, TABLE};

/// Limits of this crate.
mod limits {
    use std::time::Duration;

    /// How long changes may gather before they are looked at: a roaming laptop makes dozens within this time.
    pub(crate) const DEBOUNCE: Duration = Duration::from_millis(250);
    /// When what was deleted is put back (tailscale `router_linux.go` `onIPRuleDeleted`).
    pub(crate) const RESTORE_AFTER: Duration = Duration::from_millis(250);
    /// How often it is put back when somebody goes on deleting: once in this time, after a burst.
    pub(crate) const RESTORE_EVERY: Duration = Duration::from_secs(5);
    /// Restores at once before the rate holds.
    pub(crate) const RESTORE_BURST: u32 = 10;
    /// Local addresses that are listed; each is a candidate to try, and nobody tries more.
    pub(crate) const ADDRESSES: usize = 64;
    /// Commands that may wait for the keeper; it answers each within a few netlink round trips.
    pub(crate) const COMMANDS: usize = 16;
    /// Events that may wait for their reader.
    pub(crate) const EVENTS: usize = 16;
    /// Deletions of one rule in a row: somebody may have added it several times.
    pub(crate) const RULE_COPIES: usize = 16;
}
