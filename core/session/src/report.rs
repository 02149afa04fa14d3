//! What we tell the server about ourselves, and whether it knows already.

use wattle_keys::DiscoPublic;
use wattle_netmap::{Endpoint, HostFacts};

use crate::out::RequestId;

/// What we say about our host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostReport {
    /// What the map can hold of it.
    pub facts: HostFacts,
    /// Names our log for people who debug; official servers want one. Ours is random and names nothing.
    pub log_id: String,
    /// The processor, such as `amd64`.
    pub architecture: String,
    /// The distribution, such as `debian`.
    pub distribution: String,
}

/// The facts to report, and how far that is.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) host: HostReport,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) disco: Option<DiscoPublic>,
    /// Something changed since the last report was sent.
    pub(crate) due: bool,
    /// The report on its way.
    pub(crate) request: Option<RequestId>,
}

impl Report {
    pub(crate) fn set_host(&mut self, host: HostReport) {
        self.due |= self.host != host;
        self.host = host;
    }

    pub(crate) fn set_endpoints(&mut self, endpoints: &[Endpoint]) {
        if self.endpoints != endpoints {
            self.endpoints = endpoints.to_vec();
            self.due = true;
        }
    }

    pub(crate) fn set_disco(&mut self, disco: Option<DiscoPublic>) {
        self.due |= self.disco != disco;
        self.disco = disco;
    }
}
