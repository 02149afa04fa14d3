//! What can be read but must not be: names that nothing defines, and targets where they mean nothing.
//!
//! The order is that of headscale's `Policy.validate` (`hscontrol/policy/v2/types.go`), which follows the hosted service.

mod autogroup;
mod claim;
mod ip_set;
mod owner;
mod reference;
mod rule;
mod ssh;

use super::document::Document;
use super::finding::Findings;

/// Checks everything that needs the whole document.
pub(super) fn check(document: &Document, findings: &mut Findings) {
    for acl in document.acls.iter().flatten() {
        rule::acl(acl, document, findings);
    }
    for ssh in &document.ssh {
        ssh::ssh(ssh, document, findings);
    }
    for grant in document.grants.iter().flatten() {
        rule::grant(grant, document, findings);
    }
    for attribute in &document.node_attributes {
        rule::node_attribute(attribute, document, findings);
    }
    reference::postures(&document.default_source_posture, "defaultSrcPosture", document, findings);
    owner::owners(document, findings);
    ip_set::ip_sets(document, findings);
    claim::tests(document, findings);
    claim::ssh_tests(document, findings);
}
