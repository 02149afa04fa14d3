//! The policy language: text to a [`document::Document`], every name read and every reference checked, nothing resolved
//! against a tailnet. What is wrong is said in the hosted service's words, with place and remedy beside them.

mod acl;
mod addresses;
mod alias;
mod check;
mod claim;
pub mod document;
mod duration;
mod fields;
mod finding;
mod grant;
mod near;
mod node_attribute;
mod people;
mod ports;
mod posture;
mod problem;
mod protocol;
mod quote;
mod rule;
mod ssh;
#[cfg(test)]
mod tests;

use wattle_netmap::PortRange;

pub use problem::{Problem, Problems};

use crate::hujson::{self, Span};
use document::{Alias, Document, Spot};
use fields::Fields;
use finding::{Findings, Wrong};

/// The parts of a policy.
const PARTS: [&str; 19] = [
    "groups",
    "hosts",
    "ipsets",
    "tagOwners",
    "autoApprovers",
    "postures",
    "defaultSrcPosture",
    "acls",
    "grants",
    "nodeAttrs",
    "ssh",
    "tests",
    "sshTests",
    "randomizeClientPort",
    "disableIPv4",
    "oneCGNATRoute",
    "derpMap",
    "extraDNSRecords",
    "attrConfig",
];

/// Parts that the language has and that are set elsewhere on this server.
const WITHOUT_EFFECT: [&str; 3] = ["derpMap", "extraDNSRecords", "attrConfig"];

/// Reads a policy and checks all that can be checked without a tailnet. Its tests are read, not run.
pub fn read(text: &[u8]) -> Result<Document, Problems> {
    let mut findings = Findings::default();
    let document = match hujson::parse(text) {
        Ok(value) => document(&value, &mut findings),
        Err(error) => {
            let start = u32::try_from(error.offset).unwrap_or(u32::MAX);
            findings.unreadable(Span { start, end: start.saturating_add(1) }, Wrong::new(error.message));
            Document::default()
        }
    };
    check::check(&document, &mut findings);
    findings.into_problems(text).map_or(Ok(document), Err)
}

/// Reads one source, without ports.
pub fn alias(text: &str) -> Result<Alias, String> {
    alias::alias(text).map_err(|wrong| wrong.message)
}

/// Reads one destination with its ports.
pub fn destination(text: &str) -> Result<(Alias, Vec<PortRange>), String> {
    ports::destination(text).map_err(|wrong| wrong.message)
}

/// Reads the name or the number of a protocol; empty text means no protocol in particular.
pub fn protocols(text: &str) -> Result<Vec<u8>, String> {
    protocol::protocols(text).map_err(|wrong| wrong.message)
}

fn document(value: &hujson::Value, findings: &mut Findings) -> Document {
    let mut document = Document::default();
    let Some(fields) = Fields::read(value, "a policy", &PARTS, findings) else {
        return document;
    };
    if let Some(value) = fields.value("groups") {
        document.groups = people::groups(value, findings);
    }
    if let Some(value) = fields.value("hosts") {
        document.hosts = addresses::hosts(value, findings);
    }
    if let Some(value) = fields.value("ipsets") {
        document.ip_sets = addresses::ip_sets(value, findings);
    }
    if let Some(value) = fields.value("tagOwners") {
        document.tag_owners = people::tag_owners(value, findings);
    }
    if let Some(value) = fields.value("autoApprovers") {
        document.auto_approvers = people::auto_approvers(value, findings);
    }
    if let Some(value) = fields.value("postures") {
        document.postures = posture::postures(value, findings);
    }
    document.default_source_posture = rule::postures(&fields, "defaultSrcPosture", findings);
    document.acls = fields.value("acls").map(|value| rule::rules(value, "acls", findings, acl::acl));
    document.grants = fields.value("grants").map(|value| rule::rules(value, "grants", findings, grant::grant));
    if let Some(value) = fields.value("nodeAttrs") {
        document.node_attributes = rule::rules(value, "nodeAttrs", findings, node_attribute::node_attribute);
    }
    if let Some(value) = fields.value("ssh") {
        document.ssh = rule::rules(value, "ssh", findings, ssh::ssh);
    }
    if let Some(value) = fields.value("tests") {
        document.tests = rule::rules(value, "tests", findings, claim::test);
    }
    if let Some(value) = fields.value("sshTests") {
        document.ssh_tests = rule::rules(value, "sshTests", findings, claim::ssh_test);
    }
    document.randomize_client_port = fields.flag("randomizeClientPort", findings);
    document.disable_ipv4 = fields.flag("disableIPv4", findings);
    document.one_cgnat_route = one_cgnat_route(&fields, findings);
    for name in WITHOUT_EFFECT {
        if let Some(value) = fields.value(name) {
            document.without_effect.push(Spot { what: name, at: value.span });
        }
    }
    document
}

fn one_cgnat_route(fields: &Fields<'_>, findings: &mut Findings) -> Option<bool> {
    let (text, at) = fields.text("oneCGNATRoute", findings)?;
    match text {
        "" => None,
        "mac-always" => Some(true),
        "mac-never" => Some(false),
        other => {
            let wrong = Wrong::new(format!("oneCGNATRoute={}: invalid value", quote::quote(other)));
            findings.unreadable(at, wrong.hint("\"mac-always\" or \"mac-never\""));
            None
        }
    }
}
