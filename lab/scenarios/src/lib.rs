//! Stories of nodes in a simulated internet.
//!
//! What it is: a [`Mesh`] of nodes (the machines of `core/`, nothing else) in a [`wattle_world::World`] with relays and
//! STUN servers in three regions, and the invariants that hold in every story. The stories are in `tests/`, one a file.
//! What it is not: the node's assembly. Tunnels are played by plain datagrams that say who sent them.
//!
//! How to drive it: [`Mesh::new`] from a seed, [`Mesh::add`] nodes at a [`Place`], let them [`Mesh::talk`], and
//! [`Mesh::run`].
#![forbid(unsafe_code)]

mod mesh;
mod node;
mod place;

pub use mesh::{Mesh, Peering};
pub use place::{Place, Room};
