//! What each kind of query gets, and how long replies may be.

use domain::base::{MessageBuilder, Name};
use domain::rdata::{AllRecordData, Soa};
use proptest::prelude::*;
use wattle_keys::NodePublic;
use wattle_netmap::{ExtraRecord, Node, NodeId, Resolver as Upstream};

use super::*;

fn node(id: u64, name: &str, addresses: &[&str]) -> Node {
    let mut node = Node::new(NodeId(id), NodePublic::from_bytes([id as u8; 32]));
    node.name = name.to_owned();
    node.addresses = addresses.iter().map(|address| address.parse::<IpAddr>().unwrap().into()).collect();
    node
}

fn map() -> Netmap {
    let upstream = |address: &str| Upstream { address: address.into(), ..Upstream::default() };
    let mut map = Netmap {
        self_node: Some(node(1, "laptop.tail.example", &["100.64.0.1", "fd7a:115c:a1e0::1"])),
        ..Netmap::default()
    };
    map.peers.insert(NodeId(2), node(2, "Server.tail.example", &["100.64.0.2"]));
    map.dns.routes.insert("corp.example".into(), vec![upstream("10.0.0.53")]);
    map.dns.routes.insert("lab.tail.example".into(), vec![upstream("10.0.1.53")]);
    map.dns.routes.insert("extra.example".into(), vec![]);
    map.dns.resolvers = vec![upstream("192.0.2.53"), upstream("https://dns.example/dns-query")];
    let record = |kind: &str, value: &str| ExtraRecord {
        name: "db.extra.example".into(),
        kind: kind.into(),
        value: value.into(),
    };
    map.dns.extra_records =
        vec![record("A", "10.9.9.9"), record("", "fd00::9"), record("AAAA", "10.9.9.8"), record("TXT", "x")];
    map
}

fn query(name: &str, kind: Rtype) -> Vec<u8> {
    query_with(name, kind, None)
}

fn query_with(name: &str, kind: Rtype, edns_bytes: Option<u16>) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(0x1234);
    builder.header_mut().set_rd(true);
    let mut question = builder.question();
    question.push((name.parse::<Name<Vec<u8>>>().unwrap(), kind)).unwrap();
    let mut additional = question.additional();
    if let Some(size) = edns_bytes {
        additional
            .opt(|opt| {
                opt.set_udp_payload_size(size);
                Ok(())
            })
            .unwrap();
    }
    additional.finish()
}

fn reply_to(map: &Netmap, query: &[u8]) -> Message<Vec<u8>> {
    match Resolver::of_netmap(map).answer(query, Transport::Udp) {
        Answer::Reply(bytes) => Message::from_octets(bytes).unwrap(),
        other => panic!("not answered here: {other:?}"),
    }
}

fn ask(name: &str, kind: Rtype) -> (Rcode, Vec<String>) {
    let reply = reply_to(&map(), &query(name, kind));
    assert_eq!((reply.header().id(), reply.header().qr(), reply.header().rd()), (0x1234, true, true));
    (reply.header().rcode(), records(&reply))
}

fn records(reply: &Message<Vec<u8>>) -> Vec<String> {
    let answers = reply.answer().unwrap().limit_to::<AllRecordData<_, _>>();
    answers
        .map(|record| {
            let record = record.unwrap();
            assert_eq!(record.ttl().as_secs(), 5);
            record.data().to_string()
        })
        .collect()
}

fn forwards(name: &str) -> Option<Vec<String>> {
    match Resolver::of_netmap(&map()).answer(&query(name, Rtype::A), Transport::Udp) {
        Answer::Forward(upstreams) => Some(upstreams),
        Answer::Reply(_) | Answer::Ignore => None,
    }
}

#[test]
fn names_of_nodes_are_answered_in_any_case() {
    assert_eq!(ask("laptop.tail.example", Rtype::A), (Rcode::NOERROR, vec!["100.64.0.1".into()]));
    assert_eq!(ask("LapTop.TAIL.example", Rtype::AAAA), (Rcode::NOERROR, vec!["fd7a:115c:a1e0::1".into()]));
    assert_eq!(ask("server.tail.example", Rtype::A), (Rcode::NOERROR, vec!["100.64.0.2".into()]));
    assert_eq!(ask("laptop.tail.example", Rtype::ANY).1.len(), 2);
    assert_eq!(ask("magicdns.localhost-tailscale-daemon", Rtype::A).1, ["100.100.100.100"]);
}

#[test]
fn the_question_comes_back_as_it_was_asked() {
    let reply = reply_to(&map(), &query("LapTop.tail.example", Rtype::A));
    assert_eq!(reply.sole_question().unwrap().qname().to_string(), "LapTop.tail.example");
}

#[test]
fn known_names_without_that_kind_exist_all_the_same() {
    assert_eq!(ask("server.tail.example", Rtype::AAAA), (Rcode::NOERROR, vec![]));
    assert_eq!(ask("server.tail.example", Rtype::TXT), (Rcode::NOERROR, vec![]));
    assert_eq!(ask("server.tail.example", Rtype::NS), (Rcode::NOTIMP, vec![]));
}

#[test]
fn unknown_names_under_our_suffixes_do_not_exist_for_ten_seconds() {
    let reply = reply_to(&map(), &query("nobody.tail.example", Rtype::A));
    assert_eq!(reply.header().rcode(), Rcode::NXDOMAIN);
    assert!(reply.header().aa());
    let authority: Vec<_> = reply.authority().unwrap().limit_to::<Soa<_>>().collect();
    let record = authority[0].as_ref().unwrap();
    assert_eq!((record.owner().to_string(), record.ttl().as_secs()), ("tail.example".into(), 10));
    assert_eq!(record.data().minimum().as_secs(), 10);
    assert_eq!(ask("other.extra.example", Rtype::A).0, Rcode::NXDOMAIN);
}

#[test]
fn extra_records_are_answered_where_kind_and_value_fit() {
    assert_eq!(ask("db.extra.example", Rtype::A).1, ["10.9.9.9"]);
    assert_eq!(ask("db.extra.example", Rtype::AAAA).1, ["fd00::9"]);
}

#[test]
fn addresses_of_nodes_have_names() {
    assert_eq!(ask("1.0.64.100.in-addr.arpa", Rtype::PTR).1, ["laptop.tail.example."]);
    let v6 = crate::reverse::name_for("fd7a:115c:a1e0::1".parse().unwrap());
    assert_eq!(ask(&v6, Rtype::PTR).1, ["laptop.tail.example."]);
    assert_eq!(ask("9.0.64.100.in-addr.arpa", Rtype::PTR), (Rcode::NXDOMAIN, vec![]));
    assert_eq!(ask("1.0.64.100.in-addr.arpa", Rtype::A), (Rcode::NOERROR, vec![]));
    assert!(forwards("8.8.8.8.in-addr.arpa").is_some());
}

#[test]
fn the_longest_route_decides_who_is_asked() {
    assert_eq!(forwards("www.corp.example"), Some(vec!["10.0.0.53".into()]));
    assert_eq!(forwards("corp.example"), Some(vec!["10.0.0.53".into()]));
    assert_eq!(forwards("a.lab.tail.example"), Some(vec!["10.0.1.53".into()]));
    let all = Some(vec!["192.0.2.53".into(), "https://dns.example/dns-query".into()]);
    assert_eq!(forwards("example.org"), all);
    assert_eq!(forwards("xcorp.example"), all);
}

#[test]
fn onion_names_stay_here() {
    assert_eq!(ask("abc.onion", Rtype::A).0, Rcode::NXDOMAIN);
}

#[test]
fn without_an_upstream_other_names_fail() {
    let mut map = map();
    map.dns.resolvers.clear();
    let reply = reply_to(&map, &query("example.org", Rtype::A));
    assert_eq!(reply.header().rcode(), Rcode::SERVFAIL);
}

#[test]
fn what_is_no_plain_query_is_refused_or_ignored() {
    let resolver = Resolver::of_netmap(&map());
    let mut bytes = query("laptop.tail.example", Rtype::A);
    assert_eq!(resolver.answer(&bytes[..11], Transport::Udp), Answer::Ignore);
    let rcode = |bytes: &[u8]| reply_to(&map(), bytes).header().rcode();
    assert_eq!(rcode(&bytes[..20]), Rcode::FORMERR);
    bytes[2] |= 0x20; // opcode 4
    assert_eq!(rcode(&bytes), Rcode::NOTIMP);
    bytes[2] |= 0x80;
    assert_eq!(resolver.answer(&bytes, Transport::Udp), Answer::Ignore);
}

#[test]
fn an_answer_that_does_not_fit_is_left_out_and_marked() {
    let mut map = map();
    map.dns.extra_records = (0..60)
        .map(|host| ExtraRecord {
            name: "many.extra.example".into(),
            kind: String::new(),
            value: format!("10.0.0.{host}"),
        })
        .collect();
    let plain = reply_to(&map, &query("many.extra.example", Rtype::A));
    assert!(plain.header().tc() && records(&plain).is_empty());
    let edns = reply_to(&map, &query_with("many.extra.example", Rtype::A, Some(1232)));
    assert!(!edns.header().tc() && edns.opt().is_some());
    assert_eq!(records(&edns).len(), 60);
    let tiny = reply_to(&map, &query_with("many.extra.example", Rtype::A, Some(0)));
    assert!(tiny.header().tc() && tiny.opt().is_some());
    let Answer::Reply(tcp) = Resolver::of_netmap(&map).answer(&query("many.extra.example", Rtype::A), Transport::Tcp)
    else {
        panic!("not answered")
    };
    assert_eq!(records(&Message::from_octets(tcp).unwrap()).len(), 60);
}

#[test]
fn people_may_use_short_names() {
    let resolver = Resolver::of_netmap(&map());
    for name in ["server", "SERVER", "server.tail.example", "server.tail.example."] {
        assert_eq!(resolver.lookup(name), ["100.64.0.2".parse::<IpAddr>().unwrap()], "{name}");
    }
    assert!(resolver.lookup("nobody").is_empty());
    assert_eq!(resolver.name_of("100.64.0.2".parse().unwrap()), Some("server.tail.example"));
}

proptest! {
    #[test]
    fn random_bytes_are_handled(bytes: Vec<u8>) {
        let _ignored = Resolver::of_netmap(&map()).answer(&bytes, Transport::Udp);
    }

    #[test]
    fn replies_stay_within_what_the_asker_takes(mut bytes in any::<Vec<u8>>(), count in 0usize..80, size: Option<u16>, at: prop::sample::Index) {
        let mut map = map();
        map.dns.extra_records = (0..count)
            .map(|host| ExtraRecord { name: "many.extra.example".into(), kind: String::new(), value: format!("10.0.0.{host}") })
            .collect();
        let resolver = Resolver::of_netmap(&map);
        let mut query = query_with("many.extra.example", Rtype::A, size);
        let limit = usize::from(size.unwrap_or(0)).clamp(512, 4095);
        if let Answer::Reply(reply) = resolver.answer(&query, Transport::Udp) {
            prop_assert!(reply.len() <= limit);
            prop_assert!(Message::from_octets(reply).is_ok());
        }
        // The same with damage and with bytes behind.
        let at = at.index(query.len());
        query[at] ^= 0x55;
        query.append(&mut bytes);
        if let Answer::Reply(reply) = resolver.answer(&query, Transport::Udp) {
            prop_assert!(reply.len() <= 4095);
        }
    }

    #[test]
    fn every_address_of_a_map_leads_to_its_name_and_back(ids in prop::collection::btree_set(1u16..1000, 1..20)) {
        let mut map = Netmap { self_node: Some(node(1, "self.tail.example", &[])), ..Netmap::default() };
        for id in &ids {
            let address = IpAddr::from([100, 64, (id >> 8) as u8, *id as u8]);
            map.peers.insert(NodeId(u64::from(*id)), node(u64::from(*id), &format!("n{id}.tail.example"), &[&address.to_string()]));
        }
        let resolver = Resolver::of_netmap(&map);
        for id in ids {
            let [address] = resolver.lookup(&format!("n{id}"))[..] else { panic!("one address") };
            let full = format!("n{id}.tail.example");
            prop_assert_eq!(resolver.name_of(address), Some(full.as_str()));
        }
    }
}
