//! The messages of peer relays against bytes that the official module (1.102.5) wrote for the same values.

use super::*;
use crate::disco::Message;

const KEY_1: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const KEY_2: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const KEY_3: &str = "3333333333333333333333333333333333333333333333333333333333333333";
const CHALLENGE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const TAIL: &str = "010203040506070800ffffff00000006fc23ac0000000045d964b800\
                    00000000000000000000ffffc0000201a2a920010db80000000000000000000000010001";

fn key(byte: u8) -> DiscoPublic {
    DiscoPublic::from_bytes([byte; 32])
}

fn bytes(hex: &[&str]) -> Vec<u8> {
    let hex = hex.concat();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn allocation() -> Allocation {
    Allocation {
        server: key(0x33),
        clients: [key(0x11), key(0x22)],
        lamport_id: 0x0102_0304_0506_0708,
        vni: Vni::MAX,
        bind_lifetime: Duration::from_secs(30),
        steady_lifetime: Duration::from_secs(300),
        addresses: ["192.0.2.1:41641", "[2001:db8::1]:1"].map(|text| text.parse().unwrap()).to_vec(),
    }
}

#[track_caller]
fn assert_is(message: &Message, hex: &[&str]) {
    let (mut encoded, expected) = (Vec::new(), bytes(hex));
    message.encode(&mut encoded);
    assert_eq!(encoded, expected);
    assert_eq!(Message::decode(&expected).as_ref(), Ok(message));
}

#[test]
fn handshakes_are_those_of_the_official_client() {
    let challenge = std::array::from_fn(|at| at as u8);
    let handshake = Handshake { vni: Vni::new(0x01_0203).unwrap(), generation: 7, remote: key(0x22), challenge };
    let body = ["00010203", "00000007", KEY_2, CHALLENGE].concat();
    assert_is(&Message::Bind(handshake), &["0400", &body]);
    assert_is(&Message::Challenge(handshake), &["0500", &body]);
    assert_is(&Message::Answer(handshake), &["0600", &body]);
}

#[test]
fn allocations_are_those_of_the_official_client() {
    let request = AllocateRequest { clients: [key(0x11), key(0x22)], generation: 9 };
    assert_is(&Message::AllocateRequest(request), &["0800", KEY_1, KEY_2, "00000009"]);
    let response = AllocateResponse { generation: 9, allocation: allocation() };
    assert_is(&Message::AllocateResponse(response), &["0900", "00000009", KEY_3, KEY_1, KEY_2, TAIL]);
    assert_is(&Message::CallMeMaybeVia(allocation()), &["0700", KEY_3, KEY_1, KEY_2, TAIL]);
}

#[test]
fn a_network_that_cannot_be_is_refused() {
    let body = ["01000000", "00000007", KEY_2, CHALLENGE];
    assert_eq!(Handshake::decode(&bytes(&body)), Err(DiscoError::NoSuchNetwork));
}

#[test]
fn an_allocation_without_addresses_is_none() {
    let mut encoded = Vec::new();
    Allocation { addresses: Vec::new(), ..allocation() }.encode(&mut encoded);
    assert_eq!(Allocation::decode(&encoded), Err(DiscoError::Short));
}

#[test]
fn negative_lifetimes_are_over_at_once() {
    let mut encoded = Vec::new();
    allocation().encode(&mut encoded);
    encoded[3 * 32 + 8 + 4] = 0xff;
    assert_eq!(Allocation::decode(&encoded).unwrap().bind_lifetime, Duration::ZERO);
}

#[test]
fn pairs_are_in_the_order_of_their_keys() {
    assert_eq!(in_order(key(0x22), key(0x11)), [key(0x11), key(0x22)]);
}
