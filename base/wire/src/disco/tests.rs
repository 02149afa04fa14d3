//! Messages and packets: documented layouts, round trips, truncations.

use std::time::Duration;

use proptest::prelude::*;
use wattle_keys::DiscoPrivate;

use super::*;
use crate::geneve::Vni;

fn canonical_endpoint() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port))
}

fn vni() -> impl Strategy<Value = Vni> {
    (1u32..1 << 24).prop_map(|number| Vni::new(number).unwrap())
}

fn handshake() -> impl Strategy<Value = Handshake> {
    (vni(), any::<u32>(), any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(vni, generation, remote, challenge)| {
        Handshake { vni, generation, remote: DiscoPublic::from_bytes(remote), challenge }
    })
}

fn allocation() -> impl Strategy<Value = Allocation> {
    let lifetimes = any::<[u64; 2]>().prop_map(|nanos| nanos.map(|nanos| Duration::from_nanos(nanos >> 1)));
    let addresses = prop::collection::vec(canonical_endpoint(), 1..20);
    (any::<[[u8; 32]; 3]>(), any::<u64>(), vni(), lifetimes, addresses).prop_map(
        |(keys, lamport_id, vni, [bind_lifetime, steady_lifetime], addresses)| {
            let [server, clients @ ..] = keys.map(DiscoPublic::from_bytes);
            Allocation { server, clients, lamport_id, vni, bind_lifetime, steady_lifetime, addresses }
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        // Without a key, padding of a key's length would read as a key: no sender does that.
        (any::<[u8; 12]>(), any::<Option<[u8; 32]>>(), 0usize..1400).prop_map(|(id, key, padding)| {
            let node = key.map(NodePublic::from_bytes);
            let padding = if node.is_some() { padding } else { padding % 32 };
            Message::Ping(Ping { transaction: TransactionId(id), node, padding })
        }),
        (any::<[u8; 12]>(), canonical_endpoint())
            .prop_map(|(id, seen_from)| Message::Pong(Pong { transaction: TransactionId(id), seen_from })),
        prop::collection::vec(canonical_endpoint(), 0..20)
            .prop_map(|endpoints| Message::CallMeMaybe(CallMeMaybe { endpoints })),
        handshake().prop_map(Message::Bind),
        handshake().prop_map(Message::Challenge),
        handshake().prop_map(Message::Answer),
        allocation().prop_map(Message::CallMeMaybeVia),
        (any::<[[u8; 32]; 2]>(), any::<u32>()).prop_map(|(clients, generation)| {
            Message::AllocateRequest(AllocateRequest { clients: clients.map(DiscoPublic::from_bytes), generation })
        }),
        (allocation(), any::<u32>()).prop_map(|(allocation, generation)| {
            Message::AllocateResponse(AllocateResponse { generation, allocation })
        }),
        (10u8.., any::<u8>(), any::<Vec<u8>>()).prop_map(|(kind, version, body)| Message::Unknown(Unknown {
            kind,
            version,
            body
        })),
    ]
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

#[test]
fn pong_has_the_documented_layout() {
    let pong = Pong { transaction: TransactionId(*b"abcdefghijkl"), seen_from: "192.0.2.9:41641".parse().unwrap() };
    let mut expected = vec![0x02, 0x00];
    expected.extend_from_slice(b"abcdefghijkl");
    expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9, 0xa2, 0xa9]);
    assert_eq!(encoded(&Message::Pong(pong)), expected);
}

#[test]
fn smallest_modern_ping_is_124_bytes() {
    let (ours, theirs) = (DiscoPrivate::from_bytes([1; 32]), DiscoPrivate::from_bytes([2; 32]));
    let node = Some(NodePublic::from_bytes([3; 32]));
    let ping = Message::Ping(Ping { transaction: TransactionId([4; 12]), node, padding: 0 });
    let mut packet = Vec::new();
    ping.seal(&ours.public(), &ours.shared(&theirs.public()), &[5; 24], &mut packet);
    assert_eq!(packet.len(), 124);
    assert!(looks_like_disco(&packet));
}

#[test]
fn bytes_after_a_pong_are_ignored() {
    let pong = Pong { transaction: TransactionId([1; 12]), seen_from: "[2001:db8::1]:1".parse().unwrap() };
    let mut bytes = encoded(&Message::Pong(pong));
    bytes.extend_from_slice(b"from the future");
    assert_eq!(Message::decode(&bytes), Ok(Message::Pong(pong)));
}

#[test]
fn a_call_of_another_version_has_no_endpoints() {
    let mut bytes = vec![0x03, 0x01];
    bytes.extend_from_slice(&[0; 18]);
    assert_eq!(Message::decode(&bytes), Ok(Message::CallMeMaybe(CallMeMaybe::default())));
    assert_eq!(Message::decode(&[0x03, 0x00, 1, 2, 3]), Ok(Message::CallMeMaybe(CallMeMaybe::default())));
}

proptest! {
    #[test]
    fn messages_round_trip(message in message()) {
        prop_assert_eq!(Message::decode(&encoded(&message)), Ok(message));
    }

    #[test]
    fn packets_round_trip_and_do_not_open_for_others(message in message(), a: [u8; 32], b: [u8; 32], c: [u8; 32], nonce: [u8; 24]) {
        let [a, b, c] = [a, b, c].map(DiscoPrivate::from_bytes);
        prop_assume!(c != a && c != b);
        let mut packet = Vec::new();
        message.seal(&a.public(), &a.shared(&b.public()), &nonce, &mut packet);
        prop_assert!(looks_like_disco(&packet));
        let envelope = Envelope::parse(&packet).unwrap();
        prop_assert_eq!(envelope.sender, a.public());
        prop_assert_eq!(envelope.open(&b.shared(&a.public())), Ok(message));
        prop_assert_eq!(envelope.open(&c.shared(&a.public())), Err(DiscoError::Box(OpenError)));
    }

    #[test]
    fn every_truncation_fails_or_means_less(message in message(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&message);
        let cut = cut.index(bytes.len());
        if let Ok(shorter) = Message::decode(&bytes[..cut]) {
            // Short pings, calls and unknown messages are messages too, just others.
            prop_assert_ne!(shorter, message);
        }
    }

    #[test]
    fn random_bytes_are_handled(bytes: Vec<u8>) {
        let _ignored = Message::decode(&bytes);
        let _ignored = Envelope::parse(&bytes);
        let mut with_magic = MAGIC.to_vec();
        with_magic.extend_from_slice(&bytes);
        prop_assert_eq!(Envelope::parse(&with_magic).is_some(), looks_like_disco(&with_magic));
    }
}
