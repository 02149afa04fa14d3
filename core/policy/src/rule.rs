//! One rule of a policy, compiled: an `acls` entry, a `grants` entry, or what stands in for both when there is neither.

use std::sync::Arc;

use wattle_netmap::{Capability, PortRange};

use crate::hujson::Span;

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Where it stands; `None`: in no text.
    pub(crate) at: Option<Span>,
    /// Number of its list of sources.
    pub(crate) sources: usize,
    /// To where, without `autogroup:self`.
    pub(crate) targets: Vec<Target>,
    /// What it allows towards other nodes of the source's user.
    pub(crate) own: Vec<Arc<[Packets]>>,
    /// Capabilities on all targets.
    pub(crate) app: Arc<[Capability]>,
    /// What the targets get back: capabilities on the sources.
    pub(crate) companions: Vec<&'static str>,
    /// Tags of the routers that may carry it. Not empty: it is about routes and exit nodes only.
    pub(crate) via: Vec<String>,
}

/// A target: a word, and which packets may go there.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) selector: usize,
    pub(crate) packets: Arc<[Packets]>,
}

/// Protocols (none: TCP, UDP and ICMP) with ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packets {
    pub(crate) protocols: Vec<u8>,
    pub(crate) ports: Vec<PortRange>,
}

/// Who a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sources {
    /// Numbers of words, ascending.
    pub(crate) selectors: Vec<usize>,
    /// Postures, by name, one of which a source must have; none: any will do.
    pub(crate) postures: Vec<String>,
}

/// Capabilities that give the targets one on the sources: whoever may use a shared folder or a relay has to be known to
/// it (tailscale `tailcfg.PeerCapabilityTaildriveSharer`, `PeerCapabilityRelayTarget`).
pub(crate) fn companions(app: &[Capability]) -> Vec<&'static str> {
    let has = |name: &str| app.iter().any(|capability| capability.name == name);
    let mut companions = Vec::new();
    if has("tailscale.com/cap/drive") {
        companions.push("tailscale.com/cap/drive-sharer");
    }
    if has("tailscale.com/cap/relay") {
        companions.push("tailscale.com/cap/relay-target");
    }
    companions
}
