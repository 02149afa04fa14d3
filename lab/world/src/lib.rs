//! An internet in virtual time.
//!
//! What it is: networks (the open internet, sites behind NATs in the words of RFC 4787 or behind firewalls, sites in
//! sites), hosts with interfaces of both families that roam, sleep and crash, datagrams between them over links with
//! latency, jitter, loss, copies, limits of size and blockades, connections that stall and break, gateways that are asked
//! for mappings, a clock that jumps from one event to the next, and a [`Trace`] of all that happened. One seed gives one
//! run.
//! What it is not: a kernel, or an emulation of bandwidth and queues. Hosts have no sockets: every port is open for
//! datagrams.
//!
//! How to drive it: make networks ([`World::add_network`]) and hosts ([`World::add_host`], [`World::attach`]),
//! [`World::send`] and [`World::connect`], and take arrivals out with [`World::next_arrival`], which moves the clock.
//! Change anything at any time: [`World::uplink_mut`], [`World::roam`], [`World::sleep`], [`World::restart_nat`].
//!
//! Invariants: the clock never goes back; events of the same moment come in the order in which they were caused; every
//! datagram has exactly one [`Fate`], copies of it none; the same seed and calls give the same [`Trace::digest`].
#![forbid(unsafe_code)]

mod arrival;
mod conditions;
mod flows;
mod host;
mod kind;
mod limits;
mod nat;
mod queue;
mod site;
mod trace;
mod world;

pub use arrival::{Arrival, Cargo, Cause};
pub use conditions::{Blockade, Conditions, Direction, Link, TooBig};
pub use host::{HostId, InterfaceId};
pub use kind::Kinds;
pub use nat::{Behaviour, Dependence, Hairpinning, Mapped, MappingRefused, Ports, Refresh};
pub use site::{Firewall, Gateway, Inbound, PortMapping, SiteId, Tcp, V4};
pub use trace::{Fate, Trace};
pub use world::{ConnectionId, World, WriteError};
