//! Requests and answers: vectors of RFC 5769, round trips, damage.

use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks_exact(2).map(pair).collect()
}

/// RFC 5769 section 2.2: an answer over IPv4 (with MESSAGE-INTEGRITY, which is not looked at here).
const RFC_5769_V4: &str = "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220
    00200008 0001a147 e112a643 00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96";
/// RFC 5769 section 2.3: the same over IPv6.
const RFC_5769_V6: &str = "01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220
    00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9 00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
    80280004 c8fb0b4c";

#[test]
fn rfc_5769_answers_are_understood() {
    let (v4, v6) = (bytes(RFC_5769_V4), bytes(RFC_5769_V6));
    assert_eq!(has_valid_fingerprint(&v4), Some(true));
    assert_eq!(has_valid_fingerprint(&v6), Some(true));
    assert_eq!(decode_response(&v4).map(|(_, address)| address), Ok("192.0.2.1:32853".parse().unwrap()));
    let address = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
    assert_eq!(decode_response(&v6).map(|(_, address)| address), Ok(address));
}

#[test]
fn request_has_the_layout_of_official_nodes() {
    let request = encode_request(TransactionId(*b"abcdefghijkl"));
    let front = bytes("0001 0014 2112a442 6162636465666768696a6b6c 8022 0008 7461696c6e6f6465 8028 0004");
    assert_eq!(request[..36], front);
    assert_eq!(decode_request(&request), Ok(TransactionId(*b"abcdefghijkl")));
}

#[test]
fn a_request_of_foreign_software_is_refused() {
    let mut request = encode_request(TransactionId([1; 12])).to_vec();
    request[24] ^= 1;
    assert_eq!(decode_request(&request), Err(StunError::ForeignSoftware));
    let mut bare = Vec::new();
    write_header(BINDING_REQUEST, 0, TransactionId([1; 12]), &mut bare);
    assert_eq!(decode_request(&bare), Err(StunError::ForeignSoftware));
}

#[test]
fn a_request_without_its_fingerprint_is_refused() {
    let request = encode_request(TransactionId([1; 12]));
    assert_eq!(decode_request(&request[..32]), Err(StunError::Fingerprint));
    let mut wrong = request;
    wrong[39] ^= 1;
    assert_eq!(decode_request(&wrong), Err(StunError::Fingerprint));
}

#[test]
fn the_other_address_attributes_are_understood() {
    let mut answer = Vec::new();
    let address: SocketAddr = "198.51.100.7:4242".parse().unwrap();
    encode_response(TransactionId([9; 12]), address, &mut answer);
    answer[20..22].copy_from_slice(&XOR_MAPPED_ADDRESS_ALT.to_be_bytes());
    assert_eq!(decode_response(&answer), Ok((TransactionId([9; 12]), address)));

    let mut plain = Vec::new();
    write_header(BINDING_SUCCESS, 12, TransactionId([9; 12]), &mut plain);
    write_attribute(MAPPED_ADDRESS, &[0, 1, 0x10, 0x92, 198, 51, 100, 7], &mut plain);
    assert_eq!(decode_response(&plain), Ok((TransactionId([9; 12]), address)));
}

proptest! {
    #[test]
    fn requests_round_trip(id: [u8; 12]) {
        let request = encode_request(TransactionId(id));
        prop_assert!(looks_like_stun(&request) && !looks_like_stun_response(&request));
        prop_assert_eq!(decode_request(&request), Ok(TransactionId(id)));
        prop_assert_eq!(decode_response(&request), Err(StunError::NotSuccess));
    }

    #[test]
    fn answers_round_trip(id: [u8; 12], ip: IpAddr, port: u16, trailing: Vec<u8>) {
        let address = SocketAddr::new(ip.to_canonical(), port);
        let mut answer = Vec::new();
        encode_response(TransactionId(id), address, &mut answer);
        prop_assert!(looks_like_stun_response(&answer));
        prop_assert_eq!(decode_response(&answer), Ok((TransactionId(id), address)));
        prop_assert_eq!(decode_request(&answer), Err(StunError::NotRequest));
        answer.extend_from_slice(&trailing);
        prop_assert_eq!(decode_response(&answer), Ok((TransactionId(id), address)));
    }

    #[test]
    fn truncations_fail(id: [u8; 12], ip: IpAddr, cut in any::<prop::sample::Index>()) {
        let mut answer = Vec::new();
        encode_response(TransactionId(id), SocketAddr::new(ip, 1), &mut answer);
        prop_assert!(decode_response(&answer[..cut.index(answer.len())]).is_err());
        let request = encode_request(TransactionId(id));
        prop_assert!(decode_request(&request[..cut.index(request.len())]).is_err());
    }

    #[test]
    fn any_flipped_bit_of_a_request_is_noticed(id: [u8; 12], bit in 0usize..40 * 8) {
        let mut request = encode_request(TransactionId(id));
        request[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(decode_request(&request).is_err());
    }

    #[test]
    fn random_attributes_are_handled(body: Vec<u8>, kind: bool) {
        let mut packet = Vec::new();
        write_header(if kind { BINDING_SUCCESS } else { BINDING_REQUEST }, body.len() & 0xffff, TransactionId([1; 12]), &mut packet);
        packet.extend_from_slice(&body);
        let _ignored = (decode_request(&packet), decode_response(&packet), has_valid_fingerprint(&packet));
        let _ignored = (decode_request(&body), decode_response(&body), has_valid_fingerprint(&body));
    }
}
