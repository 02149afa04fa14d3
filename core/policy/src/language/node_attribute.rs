//! A rule of `nodeAttrs`: what nodes are told about themselves, and where their addresses come from.

use wattle_netmap::Prefix;

use super::alias::prefix;
use super::document::NodeAttribute;
use super::fields::Fields;
use super::finding::{Findings, Wrong};
use super::grant::capabilities;
use super::quote::quote;
use super::rule::{aliases, each};
use crate::hujson::Value;

const FIELDS: [&str; 4] = ["target", "attr", "app", "ipPool"];

pub(super) fn node_attribute(rule: &Value, findings: &mut Findings) -> Option<NodeAttribute> {
    let fields = Fields::read(rule, "a rule of nodeAttrs", &FIELDS, findings)?;
    let attributes = fields.texts("attr", findings).into_iter().map(|(name, _)| name.to_owned()).collect();
    let app = fields.value("app").map(|value| capabilities(value, findings)).unwrap_or_default();
    let pools = match fields.value("ipPool") {
        Some(pools) => each(pools, "ipPool", findings, pool),
        None => Vec::new(),
    };
    for pool in &pools {
        if let Err(wrong) = check_pool(pool.what) {
            findings.refused(pool.at, wrong);
        }
    }
    Some(NodeAttribute {
        at: rule.span,
        targets: aliases(fields.value("target"), "target", findings),
        attributes,
        app: app.into_iter().map(|(capability, _)| capability).collect(),
        ip_pool: pools.into_iter().map(|pool| pool.what).collect(),
    })
}

fn pool(text: &str) -> Result<Prefix, Wrong> {
    prefix(text.trim()).ok_or_else(|| {
        Wrong::new(format!("nodeAttrs ipPool: invalid prefix {}", quote(text))).hint("a prefix such as 100.81.0.0/16")
    })
}

/// Nodes have addresses of the CGNAT range, but for parts of it that mean something else.
fn check_pool(pool: Prefix) -> Result<(), Wrong> {
    let inside = match pool {
        Prefix::V4(pool) => wattle_netmap::TAILNET_V4.contains(&pool),
        Prefix::V6(_) => false,
    };
    if !inside {
        return Err(Wrong::new(format!("nodeAttrs ipPool must be within 100.64.0.0/10: {}", quote(&pool.to_string())))
            .hint("such as 100.81.0.0/16"));
    }
    for (reserved, why) in [("100.100.0.0/24", "DNS"), ("100.100.100.0/24", "DNS"), ("100.115.92.0/23", "Chromebooks")]
    {
        let Some(range) = prefix(reserved) else {
            continue;
        };
        if range.contains(&pool) || pool.contains(&range) {
            let message = format!(
                "nodeAttrs ipPool must not overlap reserved Tailscale ranges: {} overlaps {}",
                quote(&pool.to_string()),
                quote(reserved)
            );
            return Err(Wrong::new(message).hint(format!("{reserved} is kept for {why}")));
        }
    }
    Ok(())
}
