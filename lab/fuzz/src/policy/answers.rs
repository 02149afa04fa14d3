//! All that a policy says about a tailnet, to be compared.

use std::sync::Arc;

use wattle_netmap::{Capability, FilterRule, Prefix};
use wattle_policy::{Class, Roster, SshPermit};

use super::tailnet::{self, NODES, ROUTES, TAGS, Tailnet};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answers(Vec<Answer>);

/// About one node.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    class: Option<Arc<Class>>,
    rules: Vec<FilterRule>,
    ssh: Vec<SshPermit>,
    ssh_checks: Vec<Option<u64>>,
    attributes: Vec<Capability>,
    routes: Vec<Vec<Prefix>>,
    tags: Vec<bool>,
    approved: Vec<bool>,
}

impl Answers {
    pub(super) fn of(roster: &Roster, tailnet: &Tailnet) -> Self {
        let all = || (0..NODES).map(tailnet::id);
        let answer = |node| {
            let (id, subject, policy) = (tailnet::id(node), tailnet.subject(node), roster.policy());
            let in_charge = |route: &Prefix| roster.routers_of(route).min();
            Answer {
                class: roster.class(id).cloned(),
                rules: roster.rules_for(id),
                ssh: roster.ssh_for(id),
                ssh_checks: all().map(|to| roster.ssh_check_period(id, to)).collect(),
                attributes: roster.attributes(id),
                routes: all().map(|peer| roster.routes_through(id, peer, in_charge)).collect(),
                tags: TAGS.iter().map(|tag| policy.may_use_tag(tag, &subject)).collect(),
                approved: ROUTES.iter().map(|route| policy.approves(route, &subject)).collect(),
            }
        };
        Self((0..NODES).map(answer).collect())
    }
}
