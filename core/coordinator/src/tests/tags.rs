//! Tags, by how a node came in and who wants others: the scenarios that headscale's integration tests know by these
//! numbers (headscale `integration/tags_test.go`): 1 a person, 2 a key with tags, 3 a key without, 4 an administrator.

use wattle_netmap::{HostFacts, NodeId, UserId};

use super::{Tailnet, host, key, register};
use crate::{Command, FeedCache, NewAuthKey, Refusal, Register, Reply, Told};

const OWNED: &str = "tag:valid-owned";
const SECOND: &str = "tag:second";
const UNOWNED: &str = "tag:valid-unowned";
const NONEXISTENT: &str = "tag:nonexistent";

/// Alice owns two tags, and there is a third.
fn tailnet() -> (Tailnet, UserId) {
    let mut tailnet = Tailnet::new();
    let alice = tailnet.user("alice");
    tailnet.user("bob");
    let policy =
        r#"{"tagOwners": {"tag:valid-owned": ["alice@"], "tag:second": ["alice@"], "tag:valid-unowned": ["bob@"]}}"#;
    tailnet.policy(policy).unwrap();
    (tailnet, alice)
}

fn asks(key: u8, tags: &[&str]) -> Register {
    let request_tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Register { host: HostFacts { request_tags, ..host("server") }, ..register(1, key) }
}

/// `up --force-reauth`: a new key, and word of the old one.
fn renews(old: u8, new: u8, tags: &[&str]) -> Register {
    Register { old_node_key: Some(key(old)), ..asks(new, tags) }
}

fn with_key(secret: &str, request: Register) -> Register {
    Register { auth_key: Some(secret.to_owned()), ..request }
}

fn key_with(tailnet: &mut Tailnet, user: Option<UserId>, tags: &[&str]) -> String {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    tailnet.auth_key(NewAuthKey { user, tags, reusable: true, ..NewAuthKey::default() })
}

fn admitted(tailnet: &mut Tailnet, request: Register) -> NodeId {
    match tailnet.register(request) {
        Ok(Reply::Registered { node, .. }) => node,
        other => panic!("{other:?}"),
    }
}

fn tags_by_admin(tailnet: &mut Tailnet, node: NodeId, tags: &[&str]) -> Result<Reply, Refusal> {
    tailnet.ask(Command::SetTags { node, tags: tags.iter().map(|tag| (*tag).to_owned()).collect() })
}

fn refused<T>(tags: &[&str]) -> Result<T, Refusal> {
    Err(Refusal::TagsNotPermitted(tags.iter().map(|tag| (*tag).to_owned()).collect()))
}

/// The tags of a node that is there, and whether it belongs to nobody and never expires, as tagged ones do.
fn check(tailnet: &Tailnet, node: NodeId, tags: &[&str]) {
    let record = tailnet.record(node);
    assert_eq!(record.tags, tags);
    assert_eq!(record.owner().is_none(), !tags.is_empty());
    assert_eq!(record.key_expiry.is_none(), !tags.is_empty());
}

#[test]
fn s1_1_a_person_may_bring_a_node_with_a_tag_that_they_own() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[OWNED]), alice).unwrap();
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn s1_2_a_tag_that_does_not_exist_is_refused_to_a_person() {
    let (mut tailnet, alice) = tailnet();
    assert_eq!(tailnet.log_in(asks(1, &[NONEXISTENT]), alice), refused(&[NONEXISTENT]));
    assert_eq!(tailnet.coordinator.nodes().count(), 0);
}

#[test]
fn s1_3_a_tag_of_others_is_refused_to_a_person() {
    let (mut tailnet, alice) = tailnet();
    assert_eq!(tailnet.log_in(asks(1, &[OWNED, UNOWNED]), alice), refused(&[UNOWNED]));
    assert_eq!(tailnet.coordinator.nodes().count(), 0);
}

#[test]
fn s1_4_asking_for_one_more_tag_needs_the_person_again() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[OWNED]), alice).unwrap();
    let before = tailnet.record(node).clone();
    let auth_id = tailnet.waiting(asks(1, &[OWNED, SECOND]));
    check(&tailnet, node, &[OWNED]);
    assert_eq!(tailnet.approve(auth_id, alice), Ok(node));
    check(&tailnet, node, &[SECOND, OWNED]);
    assert_eq!(tailnet.record(node).ipv4, before.ipv4);
    let again = tailnet.register(asks(1, &[SECOND, OWNED]));
    assert!(matches!(again, Ok(Reply::Registered { .. })), "and is not asked again: {again:?}");
}

#[test]
fn s1_5_giving_a_tag_up_needs_the_person_again() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[OWNED, SECOND]), alice).unwrap();
    let auth_id = tailnet.waiting(asks(1, &[OWNED]));
    assert_eq!(tailnet.approve(auth_id, alice), Ok(node));
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn s1_6_what_a_person_asks_for_is_no_matter_after_an_administrator_has_chosen() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[OWNED]), alice).unwrap();
    tags_by_admin(&mut tailnet, node, &[SECOND]).unwrap();
    assert_eq!(admitted(&mut tailnet, asks(1, &[OWNED])), node);
    check(&tailnet, node, &[SECOND]);
    assert_eq!(tailnet.log_in(renews(1, 2, &[OWNED]), alice), Ok(node));
    check(&tailnet, node, &[SECOND]);
}

#[test]
fn s1_7_a_person_cannot_take_away_what_an_administrator_gave() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[OWNED]), alice).unwrap();
    tags_by_admin(&mut tailnet, node, &[OWNED, SECOND]).unwrap();
    assert_eq!(admitted(&mut tailnet, asks(1, &[OWNED])), node);
    assert_eq!(tailnet.log_in(renews(1, 2, &[]), alice), Ok(node));
    check(&tailnet, node, &[SECOND, OWNED]);
}

#[test]
fn s1_8_signing_in_again_without_tags_gives_the_node_back_to_the_person() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[OWNED]), alice).unwrap();
    let before = tailnet.record(node).clone();
    assert_eq!(tailnet.log_in(renews(1, 2, &[]), alice), Ok(node));
    check(&tailnet, node, &[]);
    let after = tailnet.record(node);
    assert_eq!((after.ipv4, &after.label, after.user), (before.ipv4, &before.label, Some(alice)));
}

#[test]
fn s1_9_tags_that_the_person_may_not_have_leave_everything_as_it_was() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[OWNED]), alice).unwrap();
    let auth_id = tailnet.waiting(asks(1, &[OWNED, UNOWNED]));
    assert_eq!(tailnet.approve(auth_id, alice), refused(&[UNOWNED]));
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn s1_10_a_changed_wish_makes_another_page_and_not_the_old_one() {
    let (mut tailnet, alice) = tailnet();
    let first = tailnet.waiting(asks(1, &[UNOWNED]));
    let second = tailnet.waiting(asks(1, &[OWNED]));
    assert_ne!(first, second);
    assert_eq!(tailnet.approve(first, alice), Err(Refusal::UnknownRegistration));
    let node = tailnet.approve(second, alice).unwrap();
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn s2_1_a_key_with_tags_gives_no_other_tag() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[OWNED]);
    let asked = tailnet.register(with_key(&secret, asks(1, &[SECOND])));
    assert_eq!(asked, refused(&[SECOND]));
    assert_eq!(asked.unwrap_err().to_string(), "requested tags [tag:second] are invalid or not permitted");
}

#[test]
fn s2_2_a_node_inherits_the_tags_of_its_key() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[OWNED]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn s2_3_a_node_of_a_tagged_key_cannot_add_a_tag() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[OWNED]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[OWNED])));
    assert_eq!(tailnet.register(with_key(&secret, asks(1, &[OWNED, SECOND]))), refused(&[SECOND]));
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn s2_4_a_node_of_a_tagged_key_cannot_change_its_tag() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[OWNED]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[OWNED])));
    assert_eq!(tailnet.register(with_key(&secret, asks(1, &[SECOND]))), refused(&[SECOND]));
    // Without the key there is nobody to ask: nothing changes, and the node keeps working.
    assert_eq!(admitted(&mut tailnet, asks(1, &[SECOND])), node);
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn s2_5_what_an_administrator_gave_survives_a_renewal_with_the_key() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[OWNED]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    tags_by_admin(&mut tailnet, node, &[SECOND]).unwrap();
    assert_eq!(admitted(&mut tailnet, with_key(&secret, renews(1, 2, &[]))), node);
    check(&tailnet, node, &[SECOND]);
}

#[test]
fn s2_6_a_node_of_a_tagged_key_cannot_change_what_an_administrator_gave() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[OWNED]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    tags_by_admin(&mut tailnet, node, &[OWNED, SECOND]).unwrap();
    assert_eq!(admitted(&mut tailnet, with_key(&secret, asks(1, &[OWNED]))), node);
    check(&tailnet, node, &[SECOND, OWNED]);
}

#[test]
fn s2_7_a_tag_that_does_not_exist_is_refused_to_a_tagged_key() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[OWNED]);
    assert_eq!(tailnet.register(with_key(&secret, asks(1, &[NONEXISTENT]))), refused(&[NONEXISTENT]));
}

#[test]
fn s2_8_a_tag_of_others_is_refused_to_a_tagged_key() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[OWNED]);
    assert_eq!(tailnet.register(with_key(&secret, asks(1, &[OWNED, UNOWNED]))), refused(&[UNOWNED]));
}

#[test]
fn s3_1_a_key_without_tags_gives_none() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[]);
    assert_eq!(tailnet.register(with_key(&secret, asks(1, &[OWNED]))), refused(&[OWNED]));
}

#[test]
fn s3_2_a_node_of_a_key_without_tags_belongs_to_its_user() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    check(&tailnet, node, &[]);
    assert_eq!(tailnet.record(node).owner(), Some(alice));
}

#[test]
fn s3_3_a_node_of_a_key_without_tags_cannot_add_one() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    assert_eq!(tailnet.register(with_key(&secret, asks(1, &[OWNED]))), refused(&[OWNED]));
    check(&tailnet, node, &[]);
}

#[test]
fn s3_4_a_node_of_a_key_without_tags_cannot_change_what_an_administrator_gave() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    tags_by_admin(&mut tailnet, node, &[OWNED]).unwrap();
    assert_eq!(admitted(&mut tailnet, with_key(&secret, asks(1, &[SECOND]))), node);
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn s3_5_asking_for_none_changes_nothing_after_an_administrator_has_chosen() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    tags_by_admin(&mut tailnet, node, &[OWNED]).unwrap();
    assert_eq!(admitted(&mut tailnet, with_key(&secret, renews(1, 2, &[]))), node);
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn s3_6_asking_for_fewer_than_an_administrator_gave_changes_nothing() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    tags_by_admin(&mut tailnet, node, &[OWNED, SECOND]).unwrap();
    assert_eq!(admitted(&mut tailnet, with_key(&secret, asks(1, &[OWNED]))), node);
    check(&tailnet, node, &[SECOND, OWNED]);
}

#[test]
fn s3_7_a_tag_that_does_not_exist_is_refused_to_a_key_without_tags() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[]);
    assert_eq!(tailnet.register(with_key(&secret, asks(1, &[NONEXISTENT]))), refused(&[NONEXISTENT]));
}

#[test]
fn s3_8_a_tag_of_others_is_refused_to_a_key_without_tags() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, Some(alice), &[]);
    assert_eq!(tailnet.register(with_key(&secret, asks(1, &[UNOWNED]))), refused(&[UNOWNED]));
}

#[test]
fn s4_1_an_administrator_gives_no_tag_that_does_not_exist() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[]), alice).unwrap();
    let asked = tags_by_admin(&mut tailnet, node, &[NONEXISTENT]);
    assert_eq!(asked, Err(Refusal::UnknownTag(NONEXISTENT.to_owned())));
    check(&tailnet, node, &[]);
}

#[test]
fn s4_2_an_administrator_gives_tags_of_anybody() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[]), alice).unwrap();
    tags_by_admin(&mut tailnet, node, &[UNOWNED]).unwrap();
    check(&tailnet, node, &[UNOWNED]);
}

#[test]
fn s4_3_an_administrator_cannot_take_all_tags_away() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[OWNED]), alice).unwrap();
    assert_eq!(tags_by_admin(&mut tailnet, node, &[]), Err(Refusal::NoTags));
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn s4_4_what_is_not_written_as_a_tag_is_refused() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[]), alice).unwrap();
    for text in ["valid-owned", "tag:", "TAG:valid-owned", "tag:valid owned", ""] {
        assert_eq!(tags_by_admin(&mut tailnet, node, &[text]), Err(Refusal::UnknownTag(text.to_owned())));
    }
    check(&tailnet, node, &[]);
}

#[test]
fn a_key_of_nobody_gives_its_tags() {
    let (mut tailnet, _) = tailnet();
    let secret = key_with(&mut tailnet, None, &[UNOWNED]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    check(&tailnet, node, &[UNOWNED]);
    assert_eq!(tailnet.record(node).user, None);
}

#[test]
fn a_key_of_nobody_gives_no_other_tag() {
    let (mut tailnet, _) = tailnet();
    let secret = key_with(&mut tailnet, None, &[OWNED]);
    assert_eq!(tailnet.register(with_key(&secret, asks(1, &[SECOND]))), refused(&[SECOND]));
}

#[test]
fn a_tagged_node_becomes_a_person_s_when_they_sign_in_on_it() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, None, &[OWNED]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    let before = tailnet.record(node).clone();
    assert_eq!(tailnet.log_in(renews(1, 2, &[]), alice), Ok(node));
    check(&tailnet, node, &[]);
    let after = tailnet.record(node);
    assert_eq!((after.owner(), after.ipv4, &after.label), (Some(alice), before.ipv4, &before.label));
    assert_eq!(tailnet.coordinator.nodes_of(alice).count(), 1);
    // A node that is somebody's is not taken over: another person makes another node.
    let bob = UserId(2);
    assert_ne!(tailnet.log_in(renews(2, 3, &[]), bob).unwrap(), node);
}

#[test]
fn another_machine_cannot_name_a_tagged_node_as_its_own() {
    let (mut tailnet, alice) = tailnet();
    let secret = key_with(&mut tailnet, None, &[OWNED]);
    let node = admitted(&mut tailnet, with_key(&secret, asks(1, &[])));
    let thief = Register { machine: super::machine(9), ..renews(1, 2, &[]) };
    assert_ne!(tailnet.log_in(thief, alice).unwrap(), node);
    check(&tailnet, node, &[OWNED]);
}

#[test]
fn a_person_cannot_be_given_the_node_of_another_with_its_key() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[]), alice).unwrap();
    let auth_id = tailnet.waiting(asks(1, &[OWNED]));
    assert_eq!(tailnet.approve(auth_id.clone(), UserId(2)), refused(&[OWNED]));
    tailnet.policy(r#"{"tagOwners": {"tag:valid-owned": ["alice@", "bob@"]}}"#).unwrap();
    assert_eq!(tailnet.approve(auth_id, UserId(2)), Err(Refusal::NodeOfAnother));
    check(&tailnet, node, &[]);
}

#[test]
fn tags_that_replace_others_are_told_as_such() {
    let (mut tailnet, alice) = tailnet();
    let node = tailnet.log_in(asks(1, &[]), alice).unwrap();
    let secret = tailnet.key_of(alice);
    let watcher = tailnet.join(2, &secret);
    let (mut own, mut seen, mut cache) = (Told::default(), Told::default(), FeedCache::default());
    tailnet.coordinator.catch_up(node, &mut own, &mut cache);
    tailnet.coordinator.catch_up(watcher, &mut seen, &mut cache);
    for tag in [OWNED, SECOND, OWNED] {
        tags_by_admin(&mut tailnet, node, &[tag]).unwrap();
        let told = tailnet.coordinator.catch_up(node, &mut own, &mut cache).self_node.unwrap();
        assert_eq!(told.tags, [tag]);
        let peers = tailnet.coordinator.catch_up(watcher, &mut seen, &mut cache).peers;
        assert_eq!(peers.iter().map(|peer| peer.view.node.tags.as_slice()).collect::<Vec<_>>(), [[tag]]);
    }
}
