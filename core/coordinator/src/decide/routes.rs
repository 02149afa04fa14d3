//! Which routes a node may serve.

use wattle_netmap::{NodeId, Prefix};

use super::{Decided, done};
use crate::change::Change;
use crate::limits;
use crate::record::NodeRecord;
use crate::refusal::Refusal;
use crate::routes::tidied;
use crate::state::Coordinator;

impl Coordinator {
    pub(super) fn decide_approve_routes(&self, node: NodeId, routes: Vec<Prefix>) -> Decided {
        let record = self.record(node)?;
        let approved_routes = tidied(routes);
        if approved_routes.len() > limits::HOST_LIST_MAX {
            return Err(Refusal::TooManyRoutes);
        }
        if approved_routes == record.approved_routes {
            return done(Vec::new());
        }
        done(vec![Change::NodeChanged(Box::new(NodeRecord { approved_routes, ..record.clone() }))])
    }
}
