//! Between control's JSON and `wattle-netmap`: what absent, null and empty mean is decided here and nowhere else.
//!
//! Source: tailscale `tailcfg/tailcfg.go MapResponse`, `control/controlclient/map.go`, `wgengine/filter/tailcfg.go`.

mod capabilities;
mod delta;
mod derp;
mod dns;
mod host;
mod node;
mod patch;
mod rules;
#[cfg(test)]
mod tests;
mod user;

pub use delta::{delta_from_wire, delta_to_wire, first_delta_from_wire};
pub use derp::{derp_map_from_wire, derp_map_to_wire};
pub use dns::{dns_from_wire, dns_to_wire};
pub use host::{hostinfo_from_wire, hostinfo_to_wire};
pub use node::{Viewer, node_from_wire, node_to_wire};
pub use patch::{patch_from_wire, patch_to_wire};
pub use rules::{rule_to_wire, rules_from_wire, rules_to_wire, sources_to_wire};
pub use user::{user_from_wire, user_to_wire};

/// A message that makes no sense as a map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A node without number or key is nobody.
    #[error("node {id} has no number or no key")]
    Nameless {
        /// Its number, or 0.
        id: u64,
    },
}
