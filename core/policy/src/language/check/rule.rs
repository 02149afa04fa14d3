//! Rules about packets and capabilities: `acls`, `grants`, `nodeAttrs`.

use super::super::document::{Acl, Alias, Autogroup, Document, Grant, NodeAttribute, Spot};
use super::super::finding::{Findings, Wrong};
use super::super::quote::quote;
use super::autogroup;
use super::reference::{self, Side};

pub(super) fn acl(acl: &Acl, document: &Document, findings: &mut Findings) {
    sources(&acl.sources, document, findings);
    let targets: Vec<Spot<Alias>> =
        acl.targets.iter().map(|target| Spot { what: target.what.0.clone(), at: target.at }).collect();
    self::targets(&targets, document, findings);
    autogroup::self_has_users(&acl.sources, &targets, true, findings);
    reference::postures(&acl.source_posture, "srcPosture", document, findings);
}

pub(super) fn grant(grant: &Grant, document: &Document, findings: &mut Findings) {
    for target in &grant.targets {
        if target.what == Alias::Autogroup(Autogroup::Internet) && grant.app.as_ref().is_some_and(|app| !app.is_empty())
        {
            let wrong = Wrong::new("cannot use app grants with autogroup:internet");
            findings.refused(target.at, wrong.hint("no application of this network is there: grant \"ip\" alone"));
        }
    }
    if let Some((target, prefix)) = grant.targets.iter().find_map(|target| match &target.what {
        Alias::Prefix(prefix) if prefix.prefix_len() == 0 => Some((target, prefix)),
        _ => None,
    }) {
        let message = format!(
            "dst {}: to allow all IP addresses, use \"*\" or \"autogroup:internet\"",
            quote(&prefix.to_string())
        );
        let wrong = Wrong::new(message).hint("\"*\" is every node, \"autogroup:internet\" what exit nodes reach");
        findings.refused(target.at, wrong);
    }
    sources(&grant.sources, document, findings);
    targets(&grant.targets, document, findings);
    for tag in &grant.via {
        if !document.tag_owners.contains_key(&tag.what) && !findings.is_full() {
            let wrong = Wrong::new(format!("tag {} not found", quote(&tag.what)));
            findings.refused(tag.at, wrong.hint(reference::tag_hint(&tag.what, document)));
        }
    }
    autogroup::self_has_users(&grant.sources, &grant.targets, false, findings);
    reference::postures(&grant.source_posture, "srcPosture", document, findings);
}

pub(super) fn node_attribute(rule: &NodeAttribute, document: &Document, findings: &mut Findings) {
    for target in &rule.targets {
        match &target.what {
            Alias::Autogroup(autogroup) => {
                if let Err(wrong) = autogroup::attribute(*autogroup) {
                    findings.refused(target.at, wrong);
                }
            }
            _ => reference::alias(Side::Attribute, target, document, findings),
        }
    }
}

fn sources(sources: &[Spot<Alias>], document: &Document, findings: &mut Findings) {
    for source in sources {
        match &source.what {
            Alias::Autogroup(autogroup) => {
                if let Err(wrong) = autogroup::source(*autogroup) {
                    findings.refused(source.at, wrong);
                }
            }
            _ => reference::alias(Side::Source, source, document, findings),
        }
    }
}

fn targets(targets: &[Spot<Alias>], document: &Document, findings: &mut Findings) {
    for target in targets {
        match &target.what {
            Alias::Autogroup(autogroup) => {
                if let Err(wrong) = autogroup::target(*autogroup) {
                    findings.refused(target.at, wrong);
                }
            }
            _ => reference::alias(Side::Target, target, document, findings),
        }
    }
}
