//! Frames: documented bytes, round trips, and streams cut at any place.

use proptest::prelude::*;
use wattle_keys::{NodePrivate, NodePublic};

use super::*;

/// A frame that owns what it borrows.
fn frame_bytes() -> impl Strategy<Value = Vec<u8>> {
    let key = any::<[u8; 32]>().prop_map(NodePublic::from_bytes);
    let address = any::<Option<(std::net::IpAddr, u16)>>();
    let variants = (0u8..16, key.clone(), key, any::<Vec<u8>>(), any::<[u8; 8]>(), address, any::<u8>());
    variants.prop_map(|(variant, key, other, packet, token, address, byte)| {
        let text = String::from_utf8_lossy(&packet).into_owned();
        let reason = [PeerGoneReason::Disconnected, PeerGoneReason::NotHere, PeerGoneReason::MeshBroken];
        let frame = match variant {
            0 => Frame::from(ServerKey { key }),
            1 => ClientLogin { key, sealed: &packet }.into(),
            2 => ServerWelcome { sealed: &packet }.into(),
            3 => SendPacket { to: key, packet: &packet }.into(),
            4 => RecvPacket { from: key, packet: &packet }.into(),
            5 => KeepAlive.into(),
            6 => NotePreferred { preferred: byte % 2 == 0 }.into(),
            7 => PeerGone { peer: key, reason: reason[usize::from(byte % 3)] }.into(),
            8 => {
                let address = address.map(|(ip, port)| std::net::SocketAddr::new(ip.to_canonical(), port));
                PeerPresent { peer: key, address, flags: PeerPresentFlags(byte) }.into()
            }
            9 => ForwardPacket { from: key, to: other, packet: &packet }.into(),
            10 => WatchConns.into(),
            11 => ClosePeer { peer: key }.into(),
            12 => Ping { token }.into(),
            13 => Pong { token }.into(),
            14 => Health { problem: &text }.into(),
            _ => Restarting { reconnect_in_ms: u32::from(byte), try_for_ms: 7 }.into(),
        };
        encoded(&frame)
    })
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

fn decoded(bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
    Frame::decode(bytes[0], &bytes[HEADER_LENGTH..])
}

#[test]
fn first_frame_of_a_relay_has_the_documented_bytes() {
    let key = NodePublic::from_bytes([0xab; 32]);
    let mut expected = b"\x01\x00\x00\x00\x28DERP\xf0\x9f\x94\x91".to_vec();
    expected.extend_from_slice(&[0xab; 32]);
    assert_eq!(encoded(&ServerKey { key }.into()), expected);
    expected.extend_from_slice(b"future");
    assert_eq!(decoded(&expected), Ok(ServerKey { key }.into()));
    expected[6] = b'X';
    assert_eq!(decoded(&expected), Err(FrameError::BadMagic));
}

#[test]
fn header_alone_equals_the_front_of_the_frame() {
    let peer = NodePublic::from_bytes([1; 32]);
    assert_eq!(encoded(&RecvPacket { from: peer, packet: b"hi" }.into())[..37], recv_packet_header(&peer, 2));
    assert_eq!(encoded(&SendPacket { to: peer, packet: b"hi" }.into())[..37], send_packet_header(&peer, 2));
}

#[test]
fn short_forms_of_old_relays_are_understood() {
    let peer = NodePublic::from_bytes([1; 32]);
    let gone = PeerGone { peer, reason: PeerGoneReason::Disconnected };
    assert_eq!(PeerGone::decode(peer.as_bytes()), Ok(gone));
    let present = PeerPresent { peer, address: None, flags: PeerPresentFlags::default() };
    assert_eq!(PeerPresent::decode(peer.as_bytes()), Ok(present));
}

#[test]
fn login_opens_for_the_relay_alone() {
    let (client, relay) = (NodePrivate::from_bytes([1; 32]), NodePrivate::from_bytes([2; 32]));
    let facts = LoginFacts { mesh_key: Some("s3cret".into()), ..LoginFacts::default() };
    let bytes = facts.seal(&client, &relay.public(), &[3; 24]);
    let Ok(Frame::ClientLogin(login)) = decoded(&bytes) else { panic!("not a login") };
    assert_eq!(login.key, client.public());
    assert_eq!(login.open(&relay).unwrap(), facts);
    assert!(matches!(login.open(&client), Err(LoginError::Box(_))));
    assert!(!format!("{facts:?}").contains("s3cret"));
}

#[test]
fn login_of_an_official_client_is_understood() {
    let json = br#"{"version":2,"CanAckPings":true,"IsProber":false,"New":[1]}"#;
    let facts: LoginFacts = serde_json::from_slice(json).unwrap();
    assert_eq!(facts, LoginFacts::default());
    let mine = serde_json::to_string(&LoginFacts::default()).unwrap();
    assert_eq!(mine, r#"{"version":2,"CanAckPings":true,"IsProber":false}"#);
}

#[test]
fn welcome_round_trips() {
    let (client, relay) = (NodePrivate::from_bytes([1; 32]), NodePrivate::from_bytes([2; 32]));
    let facts = WelcomeFacts { rate_bytes_per_second: 1000, burst_bytes: 5000, ..WelcomeFacts::default() };
    let bytes = facts.seal(&relay, &client.public(), &[3; 24]);
    let Ok(Frame::ServerWelcome(welcome)) = decoded(&bytes) else { panic!("not a welcome") };
    assert_eq!(welcome.open(&client, &relay.public()).unwrap(), facts);
}

#[test]
fn unknown_frames_are_skipped_and_not_held() {
    let mut decoder = FrameDecoder::for_server();
    decoder.push(&[0x77, 0, 0x10, 0, 0]);
    for _ in 0..1024 {
        decoder.push(&[0; 1024]);
        assert_eq!(decoder.next_frame(), Ok(None));
    }
    assert!(decoder.is_empty());
    decoder.push(&encoded(&KeepAlive.into()));
    assert_eq!(decoder.next_frame(), Ok(Some(KeepAlive.into())));
    assert_eq!(decoder.skipped(), 1);
    decoder.release();
    assert!(decoder.space(1).len() <= limits::IDLE_BUFFER_BYTES_MAX);
}

#[test]
fn a_frame_that_would_be_too_long_is_refused_at_its_header() {
    for (kind, length) in [(SendPacket::TYPE, 65_536 + 33), (ClientLogin::TYPE, 400_000), (Ping::TYPE, 1001)] {
        let mut decoder = FrameDecoder::for_server();
        decoder.push(&frame::header(kind, length));
        assert!(matches!(decoder.next_frame(), Err(FrameError::TooLong { .. })), "{kind}");
    }
    let mut client = FrameDecoder::for_client();
    client.push(&frame::header(RecvPacket::TYPE, (1 << 20) + 1));
    assert!(matches!(client.next_frame(), Err(FrameError::TooLong { .. })));
    let mut client = FrameDecoder::for_client();
    client.push(&frame::header(0x77, usize::MAX));
    assert!(matches!(client.next_frame(), Err(FrameError::TooLong { .. })));
}

proptest! {
    #[test]
    fn frames_round_trip(bytes in frame_bytes()) {
        prop_assert_eq!(encoded(&decoded(&bytes)?), bytes);
    }

    #[test]
    fn a_stream_comes_out_as_it_went_in(frames in prop::collection::vec(frame_bytes(), 0..8), piece in 1usize..200) {
        let stream: Vec<u8> = frames.concat();
        let mut decoder = FrameDecoder::for_client();
        let mut got = Vec::new();
        for bytes in stream.chunks(piece) {
            decoder.push(bytes);
            while let Some(frame) = decoder.next_frame()? {
                got.push(encoded(&frame));
            }
        }
        prop_assert!(decoder.is_empty());
        prop_assert_eq!(got, frames);
    }

    #[test]
    fn truncated_bodies_fail_or_mean_less(bytes in frame_bytes(), cut in any::<prop::sample::Index>()) {
        let body = &bytes[HEADER_LENGTH..];
        prop_assume!(!body.is_empty());
        if let Ok(frame) = Frame::decode(bytes[0], &body[..cut.index(body.len())]) {
            // Packets, boxes and texts have no length of their own, and two frames have old short forms.
            prop_assert!(matches!(
                frame,
                Frame::SendPacket(_) | Frame::RecvPacket(_) | Frame::ForwardPacket(_) | Frame::ClientLogin(_)
                    | Frame::ServerWelcome(_) | Frame::Health(_) | Frame::PeerGone(_) | Frame::PeerPresent(_)
            ));
        }
    }

    #[test]
    fn random_streams_are_handled(bytes: Vec<u8>, server: bool) {
        let mut decoder = if server { FrameDecoder::for_server() } else { FrameDecoder::for_client() };
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.next_frame() {}
    }
}
