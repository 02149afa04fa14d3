//! A rule of `grants`: who may send what to where, and what applications let them do there.

use wattle_netmap::Capability;

use super::document::{Grant, Spot};
use super::fields::{Fields, list, names};
use super::finding::{Findings, Wrong};
use super::protocol::packets;
use super::quote::quote;
use super::rule::{aliases, each, postures};
use crate::hujson::Value;

const FIELDS: [&str; 6] = ["src", "dst", "ip", "app", "via", "srcPosture"];

/// Capabilities of the service's own domain that policies may grant. The others are given by the service itself
/// (headscale `tailscaleCapAllowlist`, which follows the hosted service).
const OWN_GRANTABLE: [&str; 6] = [
    "tailscale.com/cap/drive",
    "tailscale.com/cap/relay",
    "tailscale.com/cap/webui",
    "tailscale.com/cap/kubernetes",
    "tailscale.com/cap/tsidp",
    "tailscale.com/cap/secrets",
];

pub(super) fn grant(rule: &Value, findings: &mut Findings) -> Option<Grant> {
    let fields = Fields::read(rule, "a rule of grants", &FIELDS, findings)?;
    let ip = match fields.value("ip") {
        Some(ip) => each(ip, "ip", findings, packets),
        None => Vec::new(),
    };
    let app = fields.value("app").map(|value| capabilities(value, findings));
    let nothing = |name| fields.value(name).is_none_or(is_empty);
    if nothing("ip") && nothing("app") {
        let wrong = Wrong::new("ip and app can not both be empty").hint("\"ip\": [\"*\"] allows all packets");
        findings.refused(rule.span, wrong);
    }
    for (name, at) in app.iter().flatten().map(|(capability, at)| (capability.name.as_str(), *at)) {
        if let Err(wrong) = check_name(name) {
            findings.refused(at, wrong);
        }
    }
    Some(Grant {
        at: rule.span,
        sources: aliases(fields.value("src"), "src", findings),
        targets: aliases(fields.value("dst"), "dst", findings),
        ip,
        app: app.map(|app| app.into_iter().map(|(capability, _)| capability).collect()),
        via: via(&fields, findings),
        source_posture: postures(&fields, "srcPosture", findings),
    })
}

/// `name: [values]`, values kept as JSON.
pub(super) fn capabilities(value: &Value, findings: &mut Findings) -> Vec<(Capability, crate::hujson::Span)> {
    names(value, "app", findings)
        .iter()
        .map(|entry| {
            let values =
                list(&entry.value, "the values of a capability", findings).iter().map(Value::to_json).collect();
            (Capability { name: entry.name.clone(), values }, entry.name_span)
        })
        .collect()
}

fn via(fields: &Fields<'_>, findings: &mut Findings) -> Vec<Spot<String>> {
    let Some(via) = fields.value("via") else {
        return Vec::new();
    };
    each(via, "via", findings, |text| {
        let text = text.trim();
        if text.starts_with("tag:") {
            Ok(text.to_owned())
        } else {
            Err(Wrong::new("via can only be a tag").hint(format!("{} is no tag: the routers carry one", quote(text))))
        }
    })
}

/// A capability is named by a domain of whoever made it, and a path.
fn check_name(name: &str) -> Result<(), Wrong> {
    let form = match name.split_once('/') {
        Some((domain, path)) => !domain.is_empty() && !path.is_empty() && !name.contains("://"),
        None => false,
    };
    if !form {
        return Err(Wrong::new("capability name must have the form {domain}/{path}")
            .hint("without a scheme, such as example.com/cap/reports"));
    }
    if name.starts_with("tailscale.com/") && !OWN_GRANTABLE.contains(&name) {
        return Err(Wrong::new("capability name must not be in the tailscale.com domain")
            .hint(format!("policies may grant {}", OWN_GRANTABLE.join(", "))));
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match &value.kind {
        crate::hujson::Kind::Array(elements) => elements.is_empty(),
        crate::hujson::Kind::Object(members) => members.is_empty(),
        _ => false,
    }
}
