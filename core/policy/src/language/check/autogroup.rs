//! Where autogroups may stand.

use super::super::document::{Alias, Autogroup, Spot};
use super::super::finding::{Findings, Wrong};
use super::super::quote::quote;

/// As a source of packets.
pub(super) fn source(autogroup: Autogroup) -> Result<(), Wrong> {
    match autogroup {
        Autogroup::Member | Autogroup::Tagged | Autogroup::DangerAll | Autogroup::Shared | Autogroup::Role(_) => Ok(()),
        Autogroup::Internet | Autogroup::Self_ | Autogroup::NonRoot => Err(not_a_source(autogroup)),
    }
}

/// As a destination of packets.
pub(super) fn target(autogroup: Autogroup) -> Result<(), Wrong> {
    match autogroup {
        Autogroup::Internet | Autogroup::Member | Autogroup::Tagged | Autogroup::Self_ | Autogroup::Role(_) => Ok(()),
        Autogroup::DangerAll | Autogroup::Shared | Autogroup::NonRoot => Err(not_a_target(autogroup)),
    }
}

/// Whom an attribute is for.
pub(super) fn attribute(autogroup: Autogroup) -> Result<(), Wrong> {
    match autogroup {
        Autogroup::Member | Autogroup::Tagged | Autogroup::Role(_) => Ok(()),
        Autogroup::Internet | Autogroup::Self_ | Autogroup::NonRoot | Autogroup::DangerAll | Autogroup::Shared => {
            let message =
                format!("nodeAttrs target does not support this autogroup: \"autogroup:{}\"", autogroup.name());
            Err(Wrong::new(message).hint("attributes are for autogroup:member, autogroup:tagged or people of a role"))
        }
    }
}

/// Who logs in by SSH.
pub(super) fn ssh_source(autogroup: Autogroup) -> Result<(), Wrong> {
    match autogroup {
        Autogroup::Member | Autogroup::Tagged | Autogroup::Shared | Autogroup::Role(_) => Ok(()),
        Autogroup::Internet | Autogroup::Self_ | Autogroup::NonRoot | Autogroup::DangerAll => {
            Err(Wrong::new(format!("\"autogroup:{}\" is not allowed in src", autogroup.name()))
                .hint("who logs in is a user, a group, a tag, autogroup:member or people of a role"))
        }
    }
}

/// Where people log in by SSH.
pub(super) fn ssh_target(autogroup: Autogroup) -> Result<(), Wrong> {
    match autogroup {
        Autogroup::Member | Autogroup::Tagged | Autogroup::Self_ | Autogroup::Role(_) => Ok(()),
        Autogroup::Internet | Autogroup::NonRoot | Autogroup::DangerAll | Autogroup::Shared => {
            let message = format!("invalid dst \"autogroup:{}\"", autogroup.name());
            Err(Wrong::new(message).hint("people log in to tags, autogroup:self or their own nodes"))
        }
    }
}

/// `autogroup:self` depends on whose node the source is: that must be certain for every source.
pub(super) fn self_has_users(
    sources: &[Spot<Alias>],
    targets: &[Spot<Alias>],
    everybody_too: bool,
    findings: &mut Findings,
) {
    if !targets.iter().any(|target| target.what == Alias::Autogroup(Autogroup::Self_)) {
        return;
    }
    let wrong = sources.iter().find(|source| match &source.what {
        Alias::User(_) | Alias::Domain(_) | Alias::Group(_) => false,
        Alias::Autogroup(Autogroup::Member | Autogroup::Role(_)) => false,
        Alias::Any => !everybody_too,
        Alias::Autogroup(_)
        | Alias::Tag(_)
        | Alias::Host(_)
        | Alias::IpSet(_)
        | Alias::Service(_)
        | Alias::Prefix(_) => true,
    });
    if let Some(source) = wrong {
        let message = "autogroup:self can only be used with users, groups, or supported autogroups";
        findings.refused(
            source.at,
            Wrong::new(message).hint(format!(
                "{} is more than people: autogroup:member is all of them",
                quote(&source.what.to_string())
            )),
        );
    }
}

fn not_a_source(autogroup: Autogroup) -> Wrong {
    let message = format!("\"autogroup:{}\" not valid on the src side of a rule", autogroup.name());
    Wrong::new(message).hint(match autogroup {
        Autogroup::Internet => "autogroup:internet can only be used in ACL destinations",
        Autogroup::Self_ => "autogroup:self is a destination; for all people write autogroup:member",
        _ => "sources are users, groups, tags, hosts, addresses, autogroup:member and the like",
    })
}

fn not_a_target(autogroup: Autogroup) -> Wrong {
    match autogroup {
        Autogroup::DangerAll => Wrong::new("cannot use autogroup:danger-all as a dst").hint("\"*\" is every node"),
        other => Wrong::new(format!("\"autogroup:{}\" not valid on the dst side of a rule", other.name()))
            .hint("destinations are users, groups, tags, hosts, addresses, autogroup:self and the like"),
    }
}
