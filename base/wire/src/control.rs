//! The messages between a node and its coordination server, as JSON values with the official field names.
//!
//! Not behaviour: which field means what when it is absent is in [`crate::convert`].
//! Source: tailscale `tailcfg/tailcfg.go`, `tailcfg/derpmap.go`, `types/dnstype/dnstype.go`.

mod admit;
mod client_version;
mod derp;
mod dial_plan;
mod display;
mod dns;
mod hostinfo;
mod key_exchange;
mod map_request;
mod map_response;
mod node;
mod peer_change;
mod ping;
mod register;
mod rules;
mod ssh;
#[cfg(test)]
mod tests;
mod user;

pub use admit::{DerpAdmitClientRequest, DerpAdmitClientResponse};
pub use client_version::{ClientVersion, Debug};
pub use derp::{DerpHomeParams, DerpMap, DerpNode, DerpRegion};
pub use dial_plan::{ControlDialPlan, ControlIpCandidate};
pub use display::{DisplayMessage, DisplayMessageAction};
pub use dns::{DnsConfig, DnsRecord, Resolver, SetDnsRequest};
pub use hostinfo::{Hostinfo, Location, NetInfo, Service};
pub use key_exchange::{EarlyNoise, OverTlsPublicKeyResponse};
pub use map_request::MapRequest;
pub use map_response::{MapResponse, TkaInfo};
pub use node::{CapMap, Node};
pub use peer_change::PeerChange;
pub use ping::{PingRequest, PingResponse};
pub use register::{RegisterRequest, RegisterResponse, RegisterResponseAuth};
pub use rules::{CapGrant, FilterRule, NetPortRange, PortRange};
pub use ssh::{SshAction, SshPolicy, SshPrincipal, SshRecorderFailure, SshRule};
pub use user::{Login, User, UserProfile};
