//! Who may use the relay.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wattle_keys::NodePublic;

use crate::{ClientId, CutReason, Out, Relay};

/// The rule of admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Everybody who can prove a key.
    Open,
    /// These keys. Whoever leaves the set is cut.
    Members(BTreeSet<NodePublic>),
    /// The driver asks somebody else, such as a coordination server's `/verify`.
    Ask,
}

/// Whether this key may log in from this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The key, already proved.
    pub key: NodePublic,
    /// Where the connection comes from.
    pub source: IpAddr,
}

pub(crate) enum Verdict {
    Admit,
    Refuse,
    Ask,
}

impl Admission {
    pub(crate) fn decide(&self, key: &NodePublic) -> Verdict {
        match self {
            Self::Open => Verdict::Admit,
            Self::Ask => Verdict::Ask,
            Self::Members(members) if members.contains(key) => Verdict::Admit,
            Self::Members(_) => Verdict::Refuse,
        }
    }
}

impl Relay {
    /// Admits these keys and no others from now on; connections of others are cut.
    pub fn set_members(&mut self, members: BTreeSet<NodePublic>, out: &mut Out) {
        let strangers: Vec<ClientId> = self
            .clients
            .ids()
            .filter(|id| {
                let key = self.clients.find(*id).and_then(|client| client.joined_key());
                key.is_some_and(|key| !members.contains(&key))
            })
            .collect();
        self.admission = Admission::Members(members);
        for id in strangers {
            self.cut(id, CutReason::Revoked, out);
        }
    }

    /// Admits one more key. Does nothing unless members are kept.
    pub fn allow(&mut self, key: NodePublic) {
        if let Admission::Members(members) = &mut self.admission {
            members.insert(key);
        }
    }

    /// Cuts the connections of one key, and takes it out of the members if these are kept.
    pub fn revoke(&mut self, key: &NodePublic, out: &mut Out) {
        if let Admission::Members(members) = &mut self.admission {
            members.remove(key);
        }
        for id in self.clients.of_key(key).to_vec() {
            self.cut(id, CutReason::Revoked, out);
        }
    }

    /// Whether the key is a member; `None` unless members are kept.
    pub fn is_member(&self, key: &NodePublic) -> Option<bool> {
        match &self.admission {
            Admission::Members(members) => Some(members.contains(key)),
            Admission::Open | Admission::Ask => None,
        }
    }
}
