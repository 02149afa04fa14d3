//! Random tailnets under random policies, over a few names, so that what is written hits what is there.

mod policy;
mod rules;
mod tailnet;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use wattle_netmap::NodeId;

use super::Spec;
use crate::{Policy, Roster};

pub(crate) use policy::policies;
pub(crate) use tailnet::{Change, changes, people, tailnet};

/// A tailnet and its policy.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) text: String,
    pub(crate) nodes: BTreeMap<u64, Spec>,
}

impl World {
    /// Reads the policy: it must be one.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        read(&self.text)
    }

    pub(crate) fn roster(&self) -> Roster {
        roster(self.policy(), &self.nodes)
    }
}

pub(crate) fn read(text: &str) -> Arc<Policy> {
    Arc::new(Policy::parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{}\n{text}", problems.report("random"))))
}

pub(crate) fn roster(policy: Arc<Policy>, nodes: &BTreeMap<u64, Spec>) -> Roster {
    Roster::with_nodes(policy, nodes.iter().map(|(number, spec)| (NodeId(*number), spec.subject())))
}

/// Worlds are large and questions are many: more cases than usual.
pub(crate) fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.saturating_mul(2), ..usual }
}

pub(crate) fn worlds() -> impl Strategy<Value = World> {
    (policies(), people(), tailnet(1..8)).prop_map(|(text, people, plans)| {
        let nodes = plans.iter().map(|(number, plan)| (*number, plan.spec(*number, &people))).collect();
        World { text, nodes }
    })
}
