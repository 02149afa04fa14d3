//! What every node may do, without a policy: only what this server and the nodes among themselves can really do.
//!
//! Names and values as the hosted service sends them (tailscale `tailcfg.NodeCapability`).

use wattle_netmap::Capability;
use wattle_policy::language::document::Role;

/// A peer that may be suggested as an exit node (tailscale `tailcfg.NodeAttrSuggestExitNode`).
pub(crate) const SUGGEST_EXIT_NODE: &str = "suggest-exit-node";

/// Of every node: it may send and take files, serve SSH by our rules, measure how long NATs remember, keep the routes that
/// an app connector has learnt.
const COMMON: [&str; 6] = [
    "https://tailscale.com/cap/file-sharing",
    "https://tailscale.com/cap/ssh",
    "probe-udp-lifetime",
    "ssh-behavior-v1",
    "ssh-env-vars",
    "store-appc-routes",
];

/// A node's own capabilities: what all have, what its owner's role brings, and what the policy gives. Sorted by name; where
/// the policy names one that all have, the policy's values count.
pub(crate) fn own(role: Option<Role>, by_policy: Vec<Capability>) -> Vec<Capability> {
    let by_role: &[&str] = match role {
        Some(Role::Owner) => &["https://tailscale.com/cap/is-admin", "https://tailscale.com/cap/is-owner"],
        Some(Role::Admin) => &["https://tailscale.com/cap/is-admin"],
        Some(Role::ItAdmin | Role::NetworkAdmin | Role::BillingAdmin | Role::Auditor | Role::Member) | None => &[],
    };
    let mut all = by_policy;
    let plain = COMMON.iter().chain(by_role).map(|name| (*name, Vec::new()));
    // Clients update themselves only where their own user wants that.
    for (name, values) in plain.chain([("default-auto-update", vec!["false".to_owned()])]) {
        if !all.iter().any(|known| known.name == name) {
            all.push(Capability { name: name.to_owned(), values });
        }
    }
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_policy_says_counts_more_than_what_all_have() {
        let wanted = Capability { name: "default-auto-update".to_owned(), values: vec!["true".to_owned()] };
        let all = own(Some(Role::Admin), vec![wanted.clone()]);
        let same: Vec<_> = all.iter().filter(|capability| capability.name == wanted.name).collect();
        assert_eq!(same, [&wanted]);
        assert!(all.iter().any(|capability| capability.name.ends_with("is-admin")));
        assert!(!own(None, Vec::new()).iter().any(|capability| capability.name.ends_with("is-admin")));
    }
}
