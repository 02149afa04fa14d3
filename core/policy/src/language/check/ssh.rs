//! Who may log in where: combinations that would let machines into people's devices are refused.

use std::collections::BTreeSet;

use super::super::document::{Alias, Autogroup, Document, Spot, Ssh};
use super::super::finding::{Findings, Wrong};
use super::super::quote::quote;
use super::autogroup;
use super::reference::{self, Side};

pub(super) fn ssh(rule: &Ssh, document: &Document, findings: &mut Findings) {
    for source in &rule.sources {
        source_alone(source, document, findings);
    }
    for target in &rule.targets {
        target_alone(target, document, findings);
    }
    combinations(rule, findings);
    for recorder in &rule.recorders {
        reference::alias(Side::Recorder, recorder, document, findings);
    }
    reference::postures(&rule.source_posture, "srcPosture", document, findings);
}

fn source_alone(source: &Spot<Alias>, document: &Document, findings: &mut Findings) {
    match &source.what {
        Alias::User(_) | Alias::Domain(_) => {}
        Alias::Autogroup(autogroup) => {
            if let Err(wrong) = autogroup::ssh_source(*autogroup) {
                findings.refused(source.at, wrong);
            }
        }
        Alias::Group(_) | Alias::Tag(_) => reference::alias(Side::Source, source, document, findings),
        other @ (Alias::Any | Alias::Host(_) | Alias::IpSet(_) | Alias::Service(_) | Alias::Prefix(_)) => {
            let wrong = Wrong::new(format!("invalid src {}", quote(&other.to_string())));
            findings.refused(
                source.at,
                wrong.hint("who logs in is a user, a group, a tag, autogroup:member or people of a role"),
            );
        }
    }
}

fn target_alone(target: &Spot<Alias>, document: &Document, findings: &mut Findings) {
    match &target.what {
        Alias::User(_) => {}
        Alias::Autogroup(autogroup) => {
            if let Err(wrong) = autogroup::ssh_target(*autogroup) {
                findings.refused(target.at, wrong);
            }
        }
        Alias::Tag(_) => reference::alias(Side::Target, target, document, findings),
        other @ (Alias::Any
        | Alias::Domain(_)
        | Alias::Group(_)
        | Alias::Host(_)
        | Alias::IpSet(_)
        | Alias::Service(_)
        | Alias::Prefix(_)) => {
            let hint = match other {
                Alias::Any => "wildcard (*) is not supported as SSH destination: use autogroup:self or tags",
                Alias::Host(_) | Alias::Prefix(_) => "give the node a tag and write the tag",
                _ => "people log in to tags, autogroup:self or their own nodes",
            };
            findings.refused(target.at, Wrong::new(format!("invalid dst {}", quote(&other.to_string()))).hint(hint));
        }
    }
}

/// Machines do not log in to people's devices, and people only to their own.
fn combinations(rule: &Ssh, findings: &mut Findings) {
    let mut machines = false;
    let mut sets_of_people = false;
    let mut users = BTreeSet::new();
    for source in &rule.sources {
        match &source.what {
            Alias::Tag(_) | Alias::Autogroup(Autogroup::Tagged) => machines = true,
            Alias::Group(_) | Alias::Domain(_) | Alias::Autogroup(Autogroup::Member | Autogroup::Role(_)) => {
                sets_of_people = true;
            }
            Alias::User(name) => {
                users.insert(name.as_str());
            }
            Alias::Any
            | Alias::Autogroup(_)
            | Alias::Host(_)
            | Alias::IpSet(_)
            | Alias::Service(_)
            | Alias::Prefix(_) => {}
        }
    }
    let instead = "log in to autogroup:tagged or to tags instead";
    for target in &rule.targets {
        let same = "users in dst are only allowed from the same user";
        let wrong = match &target.what {
            Alias::User(_) if machines => Wrong::new(same).hint(format!("the sources have tags: {instead}")),
            Alias::User(name) if sets_of_people || users.len() != 1 || !users.contains(name.as_str()) => {
                Wrong::new(same).hint("autogroup:self lets everybody in to their own devices")
            }
            Alias::Autogroup(Autogroup::Self_) if machines => Wrong::new(
                "autogroup:self destination requires source to contain only users or groups, not tags or autogroup:tagged",
            )
            .hint("a rule of its own for the tags"),
            Alias::Autogroup(Autogroup::Member | Autogroup::Role(_)) if machines => Wrong::new(
                "tags in SSH source cannot access autogroup:member (user-owned devices)",
            )
            .hint(instead),
            Alias::Any
            | Alias::User(_)
            | Alias::Domain(_)
            | Alias::Group(_)
            | Alias::Tag(_)
            | Alias::Autogroup(_)
            | Alias::Host(_)
            | Alias::IpSet(_)
            | Alias::Service(_)
            | Alias::Prefix(_) => continue,
        };
        findings.refused(target.at, wrong);
    }
}
