//! Who owns tags and whose routes need no administrator. Tags may own tags in circles: a circle gives nobody anything.

use super::super::document::{Document, Owner, Spot};
use super::super::finding::Findings;
use super::super::quote::quote;
use super::reference;

pub(super) fn owners(document: &Document, findings: &mut Findings) {
    for (tag, owners) in &document.tag_owners {
        each(owners, || format!("tagOwners[{}]: ", quote(tag)), document, findings);
    }
    let approvers = &document.auto_approvers;
    for (route, owners) in &approvers.routes {
        each(owners, || format!("autoApprovers.routes[{}]: ", quote(&route.what.to_string())), document, findings);
    }
    each(&approvers.exit_node, || "autoApprovers.exitNode: ".into(), document, findings);
    for (service, owners) in &approvers.services {
        each(owners, || format!("autoApprovers.services[{}]: ", quote(service)), document, findings);
    }
}

fn each(owners: &[Spot<Owner>], about: impl Fn() -> String, document: &Document, findings: &mut Findings) {
    for owner in owners {
        if findings.is_full() {
            return;
        }
        let defined = match &owner.what {
            Owner::Group(name) => reference::group(name, document),
            Owner::Tag(name) => reference::tag(name, document),
            Owner::User(_) | Owner::Domain(_) | Owner::Autogroup(_) => Ok(()),
        };
        if let Err(wrong) = defined {
            findings.refused(owner.at, wrong.within(&about()));
        }
    }
}
