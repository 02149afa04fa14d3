//! Who gets in by SSH.

use std::net::IpAddr;

use super::{Reference, Spec, is_own, login, owner};
use crate::language::document::{Alias, Ssh, SshAction};

/// How somebody gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Login {
    Denied,
    Accepted,
    Checked,
}

impl Reference<'_> {
    /// How somebody at an address gets in to a node as a user. A rule that asks for a check is the stronger one.
    pub(crate) fn login(&self, from: IpAddr, to: &Spec, user: &str) -> Login {
        let Some(from) = self.node_at(from) else { return Login::Denied };
        let lets_in = |rule: &&Ssh| {
            self.is_ssh_source(rule, from) && self.is_ssh_target(rule, from, to) && is_user(rule, from, user)
        };
        let logins = self.document.ssh.iter().filter(lets_in).map(|rule| match rule.action {
            SshAction::Accept => Login::Accepted,
            SshAction::Check(_) => Login::Checked,
        });
        logins.max().unwrap_or(Login::Denied)
    }

    /// How long ago a person may have signed in, by the first rule that asks for that.
    pub(crate) fn check_period(&self, from: &Spec, to: &Spec) -> Option<u64> {
        self.document.ssh.iter().find_map(|rule| match rule.action {
            SshAction::Check(period) if self.is_ssh_source(rule, from) && self.is_meant(rule, from, to) => Some(period),
            SshAction::Check(_) | SshAction::Accept => None,
        })
    }

    fn is_ssh_source(&self, rule: &Ssh, node: &Spec) -> bool {
        let postures = super::rules::postures_of(self.document, &rule.source_posture);
        rule.sources.iter().any(|source| self.is(node, &source.what)) && self.stands(&postures, &node.attributes)
    }

    fn is_target(&self, rule: &Ssh, to: &Spec) -> bool {
        rule.targets.iter().any(|target| self.is(to, &target.what))
    }

    fn is_meant(&self, rule: &Ssh, from: &Spec, to: &Spec) -> bool {
        let own = rule.targets.iter().any(|target| super::places::is_self(&target.what));
        self.is_target(rule, to) || (own && is_own(from, to))
    }

    /// The hosted service tells a source of a rule with local parts what the rule says of its own user, or of itself if
    /// it is tagged, so that gets in, too.
    fn is_ssh_target(&self, rule: &Ssh, from: &Spec, to: &Spec) -> bool {
        let others = rule.targets.iter().any(|target| !super::places::is_self(&target.what));
        let local_parts = rule.users.iter().any(|user| user.starts_with("localpart:"));
        let itself = owner(to).is_none() && from.addresses == to.addresses;
        self.is_meant(rule, from, to)
            || (others && local_parts && self.is_ssh_source(rule, to) && (is_own(from, to) || itself))
    }

    /// Nodes that record sessions.
    pub(crate) fn recorders(&self, rule: &Ssh) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for recorder in &rule.recorders {
            for node in self.nodes.values().filter(|node| self.is(node, &recorder.what)) {
                addresses.extend(node.addresses.iter().copied());
            }
            match &recorder.what {
                Alias::Prefix(prefix) => addresses.push(prefix.addr()),
                Alias::Host(name) => addresses.push(self.document.hosts[name].what.addr()),
                _ => {}
            }
        }
        addresses.sort_unstable();
        addresses
    }
}

fn is_user(rule: &Ssh, from: &Spec, user: &str) -> bool {
    rule.users.iter().any(|allowed| match allowed.strip_prefix("localpart:*@") {
        Some(domain) => {
            let own = login(from).and_then(|login| login.split_once('@'));
            own.is_some_and(|(local, of)| local == user && of.eq_ignore_ascii_case(domain))
        }
        None if allowed == "autogroup:nonroot" => user != "root",
        None => allowed == user,
    })
}
