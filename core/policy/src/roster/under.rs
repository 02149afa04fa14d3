//! The same nodes in the light of another policy.

use std::net::IpAddr;
use std::sync::Arc;

use wattle_netmap::{NodeId, Prefix};

use super::{Identity, Roster};
use crate::policy::Policy;
use crate::subject::{Person, Subject};

impl Roster {
    /// What these nodes would be under another policy. Nothing here changes.
    pub fn under(&self, policy: Arc<Policy>) -> Self {
        let routes: Vec<Vec<Prefix>> =
            self.nodes.values().map(|member| member.routes.iter().map(|route| route.prefix).collect()).collect();
        let subjects = self.nodes.iter().zip(&routes).map(|((id, member), routes)| {
            let identity = match (member.tags.as_slice(), member.user) {
                ([], Some(user)) => Identity::User(user),
                ([], None) => Identity::Nobody,
                (tags, _) => Identity::Tags(tags.to_vec()),
            };
            // Of a tagged node's former user, no rule asks more than the login name.
            let profile = self.profiles.get(&identity).filter(|_| member.tags.is_empty());
            let (role, groups) = profile.map(|profile| (profile.role, profile.groups.as_slice())).unwrap_or_default();
            let user = member.user.map(|id| Person { id, login: &member.login, role, groups });
            let addresses: &[IpAddr] = &member.addresses;
            let (tags, attributes) = (member.tags.as_slice(), &member.attributes);
            (NodeId::clone(id), Subject { user, tags, addresses, routes, attributes })
        });
        Self::with_nodes(policy, subjects)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wattle_netmap::UserId;

    use super::*;
    use crate::language::document::{Role, Scalar};

    #[test]
    fn nodes_under_another_policy_are_as_if_they_had_come_to_it() {
        let (before, after) = (
            Policy::parse(br#"{"acls": []}"#).unwrap(),
            Policy::parse(
                br#"{
                    "tagOwners": {"tag:db": []},
                    "postures": {"posture:new": ["node:os == 'linux'"]},
                    "grants": [
                        {"src": ["autogroup:admin"], "dst": ["tag:db"], "ip": ["tcp:22"]},
                        {"src": ["*"], "dst": ["10.0.0.0/8"], "ip": ["*"], "srcPosture": ["posture:new"]},
                        {"src": ["autogroup:member"], "dst": ["autogroup:self"], "ip": ["*"]},
                    ],
                }"#,
            )
            .unwrap(),
        );
        let alice = Person { id: UserId(1), login: "alice@example.com", role: Role::Admin, groups: &[] };
        let bob = Person { id: UserId(2), login: "bob@example.com", role: Role::Member, groups: &[] };
        let linux = BTreeMap::from([("node:os".to_owned(), Scalar::Text("linux".to_owned()))]);
        let (tags, routes) = (["tag:db".to_owned()], ["10.1.0.0/16".parse().unwrap()]);
        let address: Vec<[IpAddr; 1]> = (1..=4).map(|n| [IpAddr::from([100, 64, 0, n])]).collect();
        let nodes = || {
            [
                (NodeId(1), Subject::new(Some(alice), &[], &address[0])),
                (NodeId(2), Subject { attributes: &linux, ..Subject::new(Some(bob), &[], &address[1]) }),
                (NodeId(3), Subject { routes: &routes, ..Subject::new(Some(alice), &tags, &address[2]) }),
                (NodeId(4), Subject::new(None, &[], &address[3])),
            ]
        };
        let after = Arc::new(after);
        let (there, here) =
            (Roster::with_nodes(after.clone(), nodes()), Roster::with_nodes(Arc::new(before), nodes()).under(after));
        for id in 1..=4 {
            assert_eq!(there.class(NodeId(id)), here.class(NodeId(id)), "node {id}");
            assert_eq!(there.rules_for(NodeId(id)), here.rules_for(NodeId(id)), "node {id}");
        }
        assert!(!here.rules_for(NodeId(3)).is_empty());
        assert_eq!(there.matrix(), here.matrix());
    }
}
