//! Which node a person means: by name or by address.

use std::net::IpAddr;

use anyhow::{Context, anyhow};
use wattle_wire::local::{PeerStatus, Status};

/// An address that was meant, and whether it is our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: IpAddr,
    pub(super) is_self: bool,
}

/// The address that `text` means: an address itself, a node by name, or a name that the host's DNS knows.
pub(super) async fn resolve(status: &Status, text: &str) -> anyhow::Result<Target> {
    if let Some(target) = find(status, text)? {
        return Ok(target);
    }
    let mut found = tokio::net::lookup_host((text, 0))
        .await
        .map_err(|_| anyhow!("no peer is named {text}, and neither does DNS know that name"))?;
    let address = found.next().with_context(|| format!("{text} has no address"))?.ip();
    Ok(Target { address, is_self: status.tailscale_ips.contains(&address) })
}

/// The same without asking DNS.
pub(super) fn find(status: &Status, text: &str) -> anyhow::Result<Option<Target>> {
    if let Ok(address) = text.parse() {
        return Ok(Some(Target { address, is_self: status.tailscale_ips.contains(&address) }));
    }
    let own = status.self_status.as_deref().filter(|own| is_named(status, own, text));
    let Some(node) = peer(status, text).or(own) else { return Ok(None) };
    let address = *node.tailscale_ips.first().with_context(|| format!("{text} has no address"))?;
    Ok(Some(Target { address, is_self: own.is_some_and(|own| std::ptr::eq(own, node)) }))
}

/// The peer of this name or address.
pub(super) fn peer<'a>(status: &'a Status, text: &str) -> Option<&'a PeerStatus> {
    status.peer.values().find(|peer| is_named(status, peer, text))
}

/// Whether the node has this name (short, full, with or without the last dot), identifier or address.
pub(super) fn is_named(status: &Status, node: &PeerStatus, text: &str) -> bool {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let full = node.dns_name.strip_suffix('.').unwrap_or(&node.dns_name);
    (!bare.is_empty() && (bare.eq_ignore_ascii_case(full) || bare.eq_ignore_ascii_case(&short_name(status, node))))
        || (!node.id.is_empty() && node.id == text)
        || text.parse().is_ok_and(|address: IpAddr| node.tailscale_ips.contains(&address))
}

/// The name without the network's suffix; the host name in quotes where control gave no name.
pub(super) fn short_name(status: &Status, node: &PeerStatus) -> String {
    let full = node.dns_name.strip_suffix('.').unwrap_or(&node.dns_name);
    let suffix = status.magic_dns_suffix.trim_matches('.');
    let base = full.strip_suffix(suffix).and_then(|base| base.strip_suffix('.')).filter(|_| !suffix.is_empty());
    match base.unwrap_or(full) {
        "" => format!("({:?})", node.host_name),
        name => name.to_owned(),
    }
}
