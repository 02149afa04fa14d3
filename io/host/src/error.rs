//! Why the host's network could not be set up.

use std::io;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Only root or a process with `CAP_NET_ADMIN` may.
    #[error("not permitted to change this host's addresses and routes: run as root or with CAP_NET_ADMIN")]
    Permission,
    /// The TUN interface was deleted.
    #[error("the interface {name} is gone")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// The kernel refused one step.
    #[error("could not {step}: {source}")]
    Refused {
        /// What was attempted, for people.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The netlink socket.
    #[error("no netlink connection to the kernel: {0}")]
    Netlink(io::Error),
    /// The keeper's task ended; only the end of the runtime does that.
    #[error("the host's network is no longer kept")]
    Ended,
}
