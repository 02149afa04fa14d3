//! Port mappings: asks the home router to forward a UDP port to us, so that peers reach us although we are behind a NAT.
//!
//! **What it is.** One machine, [`Mapper`], that speaks PCP (RFC 6887), NAT-PMP (RFC 6886) and UPnP IGD with the router:
//! finds out which it knows, keeps one mapping, renews it, takes it away.
//! **What it is not.** Sockets and HTTP, which the driver has; and a belief in what routers say: answers are taken from the
//! router alone, for the question that was asked, and only with an external address that can be one.
//!
//! **How to drive it.** [`Mapper::set_gateway`] at each change of the network; [`Mapper::handle_datagram`],
//! [`Mapper::handle_http`] and [`Mapper::handle_timeout`] as things happen; carry out what is in [`Out`].
//!
//! **Invariants.** At most one mapping is held. A router that does not answer is asked some hundred bytes in ten minutes.
//! Nothing that comes from the network panics or makes us remember more than a few hundred bytes.
#![forbid(unsafe_code)]

mod igd;
mod limits;
mod mapper;
mod out;
mod pcp;
mod pmp;
mod ssdp;
mod trust;

pub use mapper::{Gateway, Mapper, Mapping, Protocol, Protocols, Seen};
pub use out::{Event, HttpId, HttpRequest, Out};
pub use ssdp::{MULTICAST as SSDP_MULTICAST, PORT as SSDP_PORT};

/// Where routers take PCP and NAT-PMP requests (RFC 6887 section 19.4).
pub const ROUTER_PORT: u16 = 5351;
/// Where they announce, to all hosts of their network, that they have restarted (RFC 6887 section 14.1, RFC 6886 3.2.1).
pub const ANNOUNCEMENT_PORT: u16 = 5350;
