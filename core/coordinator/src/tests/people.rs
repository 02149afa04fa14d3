//! People: who signs in as whom, who is kept out, who is gone.

use wattle_identity::{IdentityKey, Profile};
use wattle_netmap::UserId;

use super::{Tailnet, key, register, report};
use crate::{Command, FeedCache, NewAuthKey, Refusal, Register, Reply, Role, Told, UserRecord};

fn profile(subject: &str, email: Option<&str>) -> Profile {
    Profile {
        key: IdentityKey { issuer: "https://id.example.com".to_owned(), subject: subject.to_owned() },
        provider: "corp".to_owned(),
        email: email.map(str::to_owned),
        display_name: format!("The {subject}"),
        picture_url: "https://id.example.com/face.png".to_owned(),
        groups: Some(vec!["ops".to_owned()]),
        second_factor: true,
        key_expiry: None,
        login_name: email.map_or_else(|| format!("{subject}@corp"), str::to_owned),
    }
}

fn sign_in(tailnet: &mut Tailnet, profile: Profile) -> Result<UserId, Refusal> {
    match tailnet.ask(Command::SignIn(Box::new(profile)))? {
        Reply::SignedIn { user } => Ok(user),
        other => panic!("{other:?}"),
    }
}

fn user(tailnet: &Tailnet, user: UserId) -> &UserRecord {
    tailnet.coordinator.user(user).unwrap()
}

#[test]
fn the_first_to_sign_in_owns_the_tailnet_and_the_next_are_members() {
    let mut tailnet = Tailnet::new();
    let first = sign_in(&mut tailnet, profile("a", Some("a@example.com"))).unwrap();
    let second = sign_in(&mut tailnet, profile("b", None)).unwrap();
    assert_eq!((user(&tailnet, first).role, user(&tailnet, second).role), (Role::Owner, Role::Member));
    let second = user(&tailnet, second);
    assert_eq!((second.login_name.as_str(), second.email.as_ref()), ("b@corp", None));
    assert_eq!((second.display_name.as_str(), second.provider.as_str()), ("The b", "corp"));
    assert_eq!((second.groups.as_slice(), second.second_factor), (["ops".to_owned()].as_slice(), true));
    assert_eq!(second.last_sign_in, Some(tailnet.now.wall));
}

#[test]
fn a_known_identity_is_the_same_user_whatever_its_address_is_now() {
    let mut tailnet = Tailnet::new();
    let first = sign_in(&mut tailnet, profile("a", Some("a@example.com"))).unwrap();
    let married = Profile {
        groups: None,
        second_factor: false,
        display_name: String::new(),
        ..profile("a", Some("z@example.com"))
    };
    assert_eq!(sign_in(&mut tailnet, married).unwrap(), first);
    let record = user(&tailnet, first);
    assert_eq!((record.login_name.as_str(), record.email.as_deref()), ("z@example.com", Some("z@example.com")));
    assert_eq!(record.groups, ["ops"], "a provider that tells no groups leaves what is known");
    assert_eq!((record.display_name.as_str(), record.second_factor), ("The a", false));
    // The address that was let go is somebody else's now, who is not the same person.
    let other = sign_in(&mut tailnet, profile("b", Some("a@example.com"))).unwrap();
    assert_ne!(other, first);
    // A name that an administrator chose does not follow the address, and one that is taken is not taken over.
    tailnet.ask(Command::RenameUser { user: first, login_name: "boss".to_owned() }).unwrap();
    sign_in(&mut tailnet, profile("a", Some("y@example.com"))).unwrap();
    assert_eq!(user(&tailnet, first).login_name, "boss");
    tailnet.user("x@example.com");
    sign_in(&mut tailnet, profile("b", Some("x@example.com"))).unwrap();
    assert_eq!(user(&tailnet, other).login_name, "a@example.com");
}

#[test]
fn an_invitation_is_for_who_proves_the_address() {
    let mut tailnet = Tailnet::new();
    let invited = tailnet.user("Alice@example.com");
    let unproven = Profile { login_name: "alice@example.com".to_owned(), ..profile("thief", None) };
    let refused = sign_in(&mut tailnet, unproven).unwrap_err();
    assert_eq!(refused, Refusal::NotProven("Alice@example.com".to_owned()));
    assert!(refused.to_string().contains("does not vouch"), "{refused}");
    assert_eq!(sign_in(&mut tailnet, profile("a", Some("alice@example.com"))).unwrap(), invited);
    assert_eq!(user(&tailnet, invited).identities, [profile("a", None).key]);
    assert_eq!(sign_in(&mut tailnet, profile("a", None)).unwrap(), invited, "from now on by identity");
}

#[test]
fn an_address_that_belongs_to_somebody_elses_identity_is_refused() {
    let mut tailnet = Tailnet::new();
    let first = sign_in(&mut tailnet, profile("a", Some("a@example.com"))).unwrap();
    let before = tailnet.coordinator.snapshot();
    let mut elsewhere = profile("a", Some("A@example.com"));
    elsewhere.key.issuer = "https://other.example.com".to_owned();
    let refused = sign_in(&mut tailnet, elsewhere).unwrap_err();
    assert_eq!(refused, Refusal::NameOfAnother("a@example.com".to_owned()));
    assert!(refused.to_string().contains("sign in as you did before"), "{refused}");
    assert_eq!(tailnet.coordinator.snapshot(), before);
    assert_eq!(sign_in(&mut tailnet, profile("a", Some("a@example.com"))).unwrap(), first);
}

#[test]
fn of_two_people_who_race_for_one_name_one_gets_it() {
    let mut tailnet = Tailnet::new();
    tailnet.user("owner");
    let named = |subject| Profile { login_name: "sam@corp".to_owned(), ..profile(subject, None) };
    let winner = sign_in(&mut tailnet, named("sam1")).unwrap();
    assert_eq!(sign_in(&mut tailnet, named("sam2")), Err(Refusal::NameOfAnother("sam@corp".to_owned())));
    assert_eq!(sign_in(&mut tailnet, named("sam1")), Ok(winner));
    assert_eq!(tailnet.coordinator.users().count(), 2);
}

#[test]
fn what_a_provider_says_is_bounded() {
    let mut tailnet = Tailnet::new();
    let long = "x".repeat(5_000);
    for subject in ["", long.as_str()] {
        assert_eq!(sign_in(&mut tailnet, profile(subject, None)), Err(Refusal::BadIdentity));
    }
    let groups = (0..2_000).map(|number| format!("{number}{long}")).collect();
    let much = Profile {
        display_name: long.clone(),
        picture_url: long.clone(),
        groups: Some(groups),
        ..profile("a", Some("a@example.com"))
    };
    let id = sign_in(&mut tailnet, much).unwrap();
    let record = user(&tailnet, id);
    assert_eq!((record.display_name.len(), record.picture_url.len()), (crate::limits::USER_NAME_MAX, 0));
    assert_eq!(record.groups.len(), crate::limits::GROUPS_MAX);
    let spaced = Profile { login_name: "two words".to_owned(), ..profile("b", None) };
    assert!(matches!(sign_in(&mut tailnet, spaced), Err(Refusal::BadUserName(_))));
}

#[test]
fn the_last_owner_is_neither_suspended_nor_deleted_nor_demoted() {
    let mut tailnet = Tailnet::new();
    let (owner, other) = (tailnet.user("owner"), tailnet.user("other"));
    let role = |role| Command::SetRole { user: owner, role };
    let all = || {
        [Command::SuspendUser { user: owner }, Command::DeleteUser { user: owner, with_nodes: true }, role(Role::Admin)]
    };
    for command in all() {
        assert_eq!(tailnet.ask(command), Err(Refusal::LastOwner));
    }
    // A suspended owner is not in charge.
    tailnet.ask(Command::SetRole { user: other, role: Role::Owner }).unwrap();
    tailnet.ask(Command::SuspendUser { user: other }).unwrap();
    for command in all() {
        assert_eq!(tailnet.ask(command), Err(Refusal::LastOwner));
    }
    tailnet.ask(Command::RestoreUser { user: other }).unwrap();
    tailnet.ask(Command::SuspendUser { user: owner }).unwrap();
    assert_eq!(tailnet.ask(Command::SuspendUser { user: other }), Err(Refusal::LastOwner));
}

#[test]
fn suspension_cuts_a_user_off_at_once_and_restoring_brings_everything_back() {
    let mut tailnet = Tailnet::new();
    let (owner, bob) = (tailnet.user("owner"), tailnet.user("bob"));
    let (owners, bobs) = (tailnet.key_of(owner), tailnet.key_of(bob));
    let (watcher, node) = (tailnet.join(1, &owners), tailnet.join(2, &bobs));
    tailnet.connect(report(1, 1));
    tailnet.connect(report(2, 2));
    let (mut seen, mut own, mut cache) = (Told::default(), Told::default(), FeedCache::default());
    let first = tailnet.coordinator.catch_up(watcher, &mut seen, &mut cache);
    assert_eq!(first.peers.len(), 1);
    let before = tailnet.coordinator.catch_up(node, &mut own, &mut cache).self_node.unwrap();

    tailnet.ask(Command::SuspendUser { user: bob }).unwrap();
    assert_eq!(tailnet.coordinator.catch_up(watcher, &mut seen, &mut cache).removed, [node]);
    let told = tailnet.coordinator.catch_up(node, &mut own, &mut cache);
    assert_eq!(told.removed, [watcher], "it sees nobody either");
    assert_eq!(told.dropped.len(), 1, "and nobody may reach it");
    let itself = told.self_node.unwrap();
    assert!(itself.expired && itself.key_expiry == Some(tailnet.now.wall));
    assert!(!tailnet.coordinator.admits(&key(2)), "relays let it go");
    assert_eq!(tailnet.register(register(2, 2)), Ok(Reply::KeyExpired));

    // Nothing that they have opens the door.
    let suspended = Refusal::Suspended("bob".to_owned());
    let with_key = Register { auth_key: Some(bobs.clone()), ..register(3, 3) };
    assert_eq!(tailnet.register(with_key), Err(suspended.clone()));
    assert_eq!(tailnet.log_in(register(3, 3), bob), Err(suspended.clone()));
    let new_key = NewAuthKey { user: Some(bob), ..NewAuthKey::default() };
    assert_eq!(tailnet.ask(Command::CreateAuthKey(new_key)), Err(suspended));
    // What a restart finds is the same.
    let config = tailnet.coordinator.config().clone();
    let again = crate::Coordinator::new(config, tailnet.coordinator.snapshot(), tailnet.now).unwrap();
    let map = again.catch_up(watcher, &mut Told::default(), &mut cache);
    assert!(map.peers.is_empty() && !again.admits(&key(2)));

    tailnet.ask(Command::RestoreUser { user: bob }).unwrap();
    let back = tailnet.coordinator.catch_up(watcher, &mut seen, &mut cache);
    assert_eq!(back.peers.iter().map(|peer| &peer.view.node.addresses).collect::<Vec<_>>(), [&before.addresses]);
    let told = tailnet.coordinator.catch_up(node, &mut own, &mut cache);
    let itself = told.self_node.unwrap();
    assert_eq!((told.peers.len(), itself.expired, itself.key_expiry), (1, false, before.key_expiry));
    assert!(tailnet.coordinator.admits(&key(2)));
    assert_eq!(tailnet.join(3, &bobs).0, node.0 + 1);
}

#[test]
fn who_is_suspended_cannot_sign_in() {
    let mut tailnet = Tailnet::new();
    tailnet.user("owner");
    let id = sign_in(&mut tailnet, profile("a", Some("a@example.com"))).unwrap();
    tailnet.ask(Command::SuspendUser { user: id }).unwrap();
    let refused = sign_in(&mut tailnet, profile("a", Some("new@example.com")));
    assert_eq!(refused, Err(Refusal::Suspended("a@example.com".to_owned())));
    // Not by an invitation either.
    let invited = tailnet.user("b@example.com");
    tailnet.ask(Command::SuspendUser { user: invited }).unwrap();
    let refused = sign_in(&mut tailnet, profile("b", Some("b@example.com")));
    assert_eq!(refused, Err(Refusal::Suspended("b@example.com".to_owned())));
    assert!(user(&tailnet, invited).identities.is_empty());
}

#[test]
fn a_suspended_router_hands_its_routes_over() {
    let mut tailnet = Tailnet::new();
    let (owner, bob) = (tailnet.user("owner"), tailnet.user("bob"));
    let (owners, bobs) = (tailnet.key_of(owner), tailnet.key_of(bob));
    let route: wattle_netmap::Prefix = "10.1.0.0/16".parse().unwrap();
    let (first, second) = (tailnet.join(1, &bobs), tailnet.join(2, &owners));
    for (number, node) in [(1, first), (2, second)] {
        let host = wattle_netmap::HostFacts { routable_ips: vec![route], ..super::host("router") };
        tailnet.connect(report(number, number));
        tailnet.ask(Command::Report(Box::new(crate::Report { host: Some(host), ..report(number, number) }))).unwrap();
        tailnet.ask(Command::ApproveRoutes { node, routes: vec![route] }).unwrap();
    }
    assert_eq!(tailnet.coordinator.primary_of(&route), Some(first));
    tailnet.ask(Command::SuspendUser { user: bob }).unwrap();
    assert_eq!(tailnet.coordinator.primary_of(&route), Some(second));
}

#[test]
fn deleting_a_user_takes_their_nodes_and_keys_and_leaves_tagged_ones() {
    let mut tailnet = Tailnet::new();
    tailnet.user("owner");
    let bob = tailnet.user("bob");
    tailnet.policy(r#"{"tagOwners": {"tag:web": ["bob@"]}}"#).unwrap();
    let secret = tailnet.key_of(bob);
    let (own, tagged) = (tailnet.join(1, &secret), tailnet.join(2, &secret));
    tailnet.ask(Command::SetTags { node: tagged, tags: vec!["tag:web".to_owned()] }).unwrap();
    let without = Command::DeleteUser { user: bob, with_nodes: false };
    assert_eq!(tailnet.ask(without), Err(Refusal::UserHasNodes(bob, 1)));
    tailnet.ask(Command::DeleteUser { user: bob, with_nodes: true }).unwrap();
    assert!(tailnet.coordinator.node(own).is_none() && tailnet.coordinator.user(bob).is_none());
    assert_eq!((tailnet.record(tagged).user, tailnet.coordinator.auth_keys().count()), (None, 0));
    assert_eq!(tailnet.coordinator.nodes_of(bob).count(), 0);
}
