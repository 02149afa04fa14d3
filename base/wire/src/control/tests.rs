//! Messages as official programs write them, typed by hand from the documented shapes.

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wattle_keys::NodePublic;
use wattle_time::UnixTime;

use super::*;
use crate::RawJson;

const NODE_KEY: &str = "nodekey:0101010101010101010101010101010101010101010101010101010101010101";
const NO_KEY: &str = "nodekey:0000000000000000000000000000000000000000000000000000000000000000";

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

fn write<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

#[test]
fn a_first_registration_is_read() {
    let request: RegisterRequest = read(&format!(
        r#"{{"Version":1,"NodeKey":"{NODE_KEY}","OldNodeKey":"{NO_KEY}","NLKey":"nlpub:00","Auth":{{"AuthKey":"k"}},
        "Expiry":"0001-01-01T00:00:00Z","Followup":"","Hostinfo":{{"OS":"linux","Hostname":"ash","Userspace":false,
        "RoutableIPs":["10.0.0.0/8"],"TPM":{{"Model":3}}}},"NodeKeySignature":null,"SomethingNew":[1,2]}}"#
    ));
    assert_eq!(request.node_key, Some(NodePublic::from_bytes([1; 32])));
    assert_eq!((request.old_node_key, request.expiry), (None, None));
    assert_eq!(request.auth.unwrap().auth_key, "k");
    let host = request.hostinfo.unwrap();
    assert_eq!((host.hostname.as_str(), host.userspace, host.routable_ips.len()), ("ash", Some(false), 1));
}

#[test]
fn a_logout_is_written_as_official_servers_read_it() {
    let request = RegisterRequest {
        version: 1,
        node_key: Some(NodePublic::from_bytes([1; 32])),
        expiry: Some(UnixTime::from_secs(123)),
        ..RegisterRequest::default()
    };
    let text = write(&request);
    assert!(text.contains(&format!(r#""NodeKey":"{NODE_KEY}","OldNodeKey":"{NO_KEY}","NLKey":"nlpub:000"#)), "{text}");
    assert!(text.contains(r#""Expiry":"1970-01-01T00:02:03Z","Followup":"","Hostinfo":null"#), "{text}");
}

#[test]
fn a_keepalive_is_always_the_same_bytes() {
    assert_eq!(write(&MapResponse::<Node>::keep_alive()), r#"{"KeepAlive":true}"#);
}

#[test]
fn nulls_of_go_are_read_as_nothing() {
    let response: MapResponse = read(
        r#"{"Node":null,"Peers":null,"PeersChanged":[],"PeersRemoved":null,"OnlineChange":{"7":true},"PeerSeenChange":null,
        "DNSConfig":{"Routes":{"example.ts.net.":null,"corp":[{"Addr":"192.0.2.53"}]},"Resolvers":null},
        "PacketFilters":{"*":null,"base":[]},"DERPMap":{"Regions":{"1":null}},"ControlTime":null,"CollectServices":null}"#,
    );
    assert!(response.online_change[&7]);
    let dns = response.dns_config.unwrap();
    assert_eq!((dns.routes["example.ts.net."].len(), dns.routes["corp"].len()), (0, 1));
    assert_eq!(response.packet_filters["*"], None);
    assert_eq!(response.packet_filters["base"], Some(Vec::new()));
    assert_eq!(response.derp_map.unwrap().regions.unwrap()[&1], None);
}

#[test]
fn a_node_keeps_its_capabilities_values_untouched() {
    let text = format!(
        r#"{{"ID":3,"StableID":"n3","Name":"ash.example.ts.net.","User":1,"Key":"{NODE_KEY}",
        "Addresses":["100.64.0.3/32"],"AllowedIPs":null,"Endpoints":["192.0.2.7:41641","[2001:db8::1]:41641"],
        "HomeDERP":901,"CapMap":{{"https://example.com/cap":[{{"b":1, "a":2}},"x"],"bare":null}},"Online":true}}"#
    );
    let node: Node = read(&text);
    assert_eq!(node.cap_map["https://example.com/cap"][0].as_str(), r#"{"b":1, "a":2}"#);
    assert!(node.cap_map["bare"].is_empty() && node.allowed_ips.is_none() && node.endpoints.len() == 2);
    assert_eq!(read::<Node>(&write(&node)), node);
}

#[test]
fn peers_that_are_encoded_already_are_put_in_as_they_are() {
    let node = Node { id: 3, name: "ash.".to_owned(), ..Node::default() };
    let response: MapResponse = MapResponse { peers_changed: vec![node], ..MapResponse::default() };
    let plain = write(&response);
    let shared = response.map_parts(|peer| RawJson::encode(&peer).unwrap(), |rules| RawJson::encode(&rules).unwrap());
    assert_eq!(write(&shared), plain);
}

#[test]
fn a_wrong_key_is_an_error_and_not_a_panic() {
    assert!(serde_json::from_str::<Node>(r#"{"Key":"mkey:00"}"#).is_err());
    assert!(serde_json::from_str::<Node>(r#"{"Addresses":["100.64.0.3"]}"#).is_err());
}

#[test]
fn keys_of_the_channel_have_lower_case_names() {
    let answer: OverTlsPublicKeyResponse =
        read(&format!(r#"{{"legacyPublicKey":"","publicKey":"{}"}}"#, NODE_KEY.replace("nodekey", "mkey")));
    assert!(answer.legacy_public_key.is_none() && answer.public_key.is_some());
    assert!(write(&answer).contains(r#""publicKey":"mkey:01"#));
}

#[test]
fn an_admission_question_is_answered() {
    let question: DerpAdmitClientRequest = read(&format!(r#"{{"NodePublic":"{NODE_KEY}","Source":"192.0.2.9"}}"#));
    assert_eq!(question.source, Some([192, 0, 2, 9].into()));
    assert_eq!(write(&DerpAdmitClientResponse { allow: true }), r#"{"Allow":true}"#);
}

#[test]
fn empty_shell_policies_are_written_with_their_rules() {
    assert_eq!(write(&SshPolicy::default()), r#"{"rules":[]}"#);
}

proptest! {
    #[test]
    fn a_change_of_a_peer_round_trips(id: u64, region in 0i64..70_000, key in 1u8.., online: Option<bool>, secs in 0i64..4_000_000_000) {
        let change = PeerChange {
            node_id: id,
            derp_region: region,
            key: Some(NodePublic::from_bytes([key; 32])),
            online,
            last_seen: Some(UnixTime::from_secs(secs)),
            ..PeerChange::default()
        };
        prop_assert_eq!(read::<PeerChange>(&write(&change)), change);
    }

    #[test]
    fn any_text_is_handled(text in ".{0,200}") {
        let _ignored: Result<MapResponse, _> = serde_json::from_str(&text);
        let _ignored: Result<MapRequest, _> = serde_json::from_str(&text);
    }

    #[test]
    fn every_truncation_of_a_map_fails_cleanly(cut in 0usize..1000) {
        let node = Node { id: 3, key: Some(NodePublic::from_bytes([1; 32])), ..Node::default() };
        let response: MapResponse = MapResponse { peers: vec![node], domain: "example.com".to_owned(), ..MapResponse::default() };
        let text = write(&response);
        let cut = cut % text.len();
        prop_assert!(serde_json::from_str::<MapResponse>(&text[..cut]).is_err());
    }
}
