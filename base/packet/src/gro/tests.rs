//! Joining and cutting undo each other, and what must stay apart stays apart.

use proptest::prelude::*;

use super::*;
use crate::{SuperPacket, build};

/// A TCP segment with right checksums. Timestamps stand for options.
fn segment(v6: bool, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut tcp = vec![0x12, 0x34, 0x00, 0x50];
    tcp.extend_from_slice(&sequence.to_be_bytes());
    tcp.extend_from_slice(&[0, 0, 0, 9, 0x80, flags, 0x10, 0, 0, 0, 0, 0, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
    tcp.extend_from_slice(payload);
    let (source, destination) = if v6 {
        ("fd7a:115c:a1e0::1".parse().unwrap(), "fd7a:115c:a1e0::2".parse().unwrap())
    } else {
        ("100.64.0.1".parse().unwrap(), "100.64.0.2".parse().unwrap())
    };
    let sum = checksum::transport(source, destination, protocol::TCP, &tcp);
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    let mut packet = Vec::new();
    build::ip(source, destination, protocol::TCP, &tcp, &mut packet).unwrap();
    packet
}

/// What a TUN write carries.
fn written(coalesced: &Coalesced, packets: &[&[u8]]) -> Vec<u8> {
    let rests = packets.iter().take(coalesced.count()).flat_map(|packet| coalesced.rest(packet));
    coalesced.front().iter().chain(rests).copied().collect()
}

fn cut(read: &[u8]) -> Vec<Vec<u8>> {
    let packet = SuperPacket::parse(read).unwrap();
    (0..packet.count())
        .map(|index| {
            let mut into = vec![0; 2000];
            let length = packet.write(index, &mut into).unwrap();
            into.truncate(length);
            into
        })
        .collect()
}

fn joined(packets: &[Vec<u8>]) -> usize {
    let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    Coalesced::of(&slices).count()
}

/// `build::ip` writes identification 0 into all; the kernel's and our cutting count up from the first.
fn without_identification(mut packet: Vec<u8>) -> Vec<u8> {
    if packet[0] == 0x45 {
        packet[4..6].fill(0);
        packet[10..12].fill(0);
        let sum = checksum::of(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

#[test]
fn a_gap_another_flow_and_a_wrong_checksum_are_not_joined() {
    let first = segment(false, 100, TCP_ACK, &[1; 10]);
    let next = segment(false, 110, TCP_ACK, &[2; 10]);
    assert_eq!(joined(&[first.clone(), next.clone()]), 2);
    assert_eq!(joined(&[first.clone(), segment(false, 111, TCP_ACK, &[2; 10])]), 1);
    assert_eq!(joined(&[first.clone(), segment(true, 110, TCP_ACK, &[2; 10])]), 1);
    let mut other = next.clone();
    other[20] ^= 1;
    assert_eq!(joined(&[first.clone(), other]), 1);
    let mut bent = next.clone();
    *bent.last_mut().unwrap() ^= 1;
    assert_eq!(joined(&[first.clone(), bent]), 1);
    let mut bent = first;
    *bent.last_mut().unwrap() ^= 1;
    assert_eq!(joined(&[bent, next]), 1);
}

#[test]
fn a_push_a_short_and_a_longer_segment_end_a_run() {
    let first = segment(false, 100, TCP_ACK, &[1; 10]);
    let rest = [segment(false, 110, TCP_ACK, &[2; 10]), segment(false, 120, TCP_ACK, &[2; 10])];
    assert_eq!(joined(&[first.clone(), segment(false, 110, TCP_ACK | TCP_PSH, &[2; 10]), rest[1].clone()]), 2);
    assert_eq!(
        joined(&[first.clone(), segment(false, 110, TCP_ACK, &[2; 5]), segment(false, 115, TCP_ACK, &[2; 5])]),
        2
    );
    assert_eq!(joined(&[first.clone(), segment(false, 110, TCP_ACK, &[2; 11])]), 1);
    for flags in [0x12, 0x11, 0x14, 0x50] {
        assert_eq!(joined(&[first.clone(), segment(false, 110, flags, &[2; 10])]), 1, "{flags:x}");
    }
    assert_eq!(joined(&[]), 0);
}

#[test]
fn a_datagram_run_of_the_host_is_cut() {
    let mut packet = Vec::new();
    let (from, to) = ("[fd7a:115c:a1e0::1]:1".parse().unwrap(), "[fd7a:115c:a1e0::2]:2".parse().unwrap());
    build::udp(from, to, &[7; 25], &mut packet).unwrap();
    let mut read = vec![1, 5];
    for word in [48u16, 10, 40, 6] {
        read.extend_from_slice(&word.to_ne_bytes());
    }
    read.extend_from_slice(&packet);
    let expected: Vec<Vec<u8>> = [10, 10, 5]
        .into_iter()
        .map(|length| {
            let mut packet = Vec::new();
            build::udp(from, to, &vec![7; length], &mut packet).unwrap();
            packet
        })
        .collect();
    assert_eq!(cut(&read), expected);
}

#[test]
fn a_missing_checksum_is_completed() {
    let whole = segment(false, 5, TCP_ACK, b"payload");
    let mut partial = whole.clone();
    let (source, destination) = source_and_destination(&whole).unwrap();
    let sum = !Sum::default().add_pseudo_header(source, destination, protocol::TCP, whole.len() - 20).finish();
    partial[36..38].copy_from_slice(&sum.to_be_bytes());
    let mut read = vec![1, 0, 0, 0, 0, 0];
    read.extend_from_slice(&20u16.to_ne_bytes());
    read.extend_from_slice(&16u16.to_ne_bytes());
    read.extend_from_slice(&partial);
    assert_eq!(cut(&read), [whole]);
}

#[test]
fn a_tcp_checksum_of_zero_stays_zero() {
    // One of these has one; a zero that is written as its twin would be another packet than the host's own.
    let segments: Vec<Vec<u8>> =
        (0..7u32).map(|number| segment(false, 2_870_516_995 + number * 1112, TCP_ACK, &[number as u8; 1112])).collect();
    let slices: Vec<&[u8]> = segments.iter().map(Vec::as_slice).collect();
    let again: Vec<Vec<u8>> =
        cut(&written(&Coalesced::of(&slices), &slices)).into_iter().map(without_identification).collect();
    assert!(segments.iter().any(|segment| segment[36..38] == [0, 0]));
    assert_eq!(again, segments);
}

proptest! {
    #[test]
    fn cutting_undoes_joining(v6: bool, sequence: u32, size in 1usize..1200, full in 1usize..70, last in 0usize..1200, push: bool) {
        let lengths = std::iter::repeat_n(size, full).chain((last > 0).then_some(last.min(size)));
        let lengths: Vec<usize> = lengths.collect();
        let mut packets = Vec::new();
        let mut at = sequence;
        for (number, length) in lengths.iter().enumerate() {
            let is_last = number + 1 == lengths.len();
            let flags = if is_last && push { TCP_ACK | TCP_PSH } else { TCP_ACK };
            packets.push(segment(v6, at, flags, &vec![number as u8; *length]));
            at = at.wrapping_add(*length as u32);
        }
        let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        let (mut rest, mut again) = (&slices[..], Vec::new());
        while !rest.is_empty() {
            let coalesced = Coalesced::of(rest);
            let write = written(&coalesced, rest);
            prop_assert!(write.len() <= VNET_HEADER_LENGTH + BYTES_MAX);
            again.extend(cut(&write));
            rest = &rest[coalesced.count()..];
        }
        let again: Vec<Vec<u8>> = again.into_iter().map(without_identification).collect();
        prop_assert_eq!(again, packets);
    }

    #[test]
    fn no_read_and_no_packet_panics(read in proptest::collection::vec(any::<u8>(), 0..120), kind in 0u8..6, first in prop_oneof![Just(0x45u8), Just(0x60u8), any::<u8>()]) {
        let mut read = read;
        if read.len() > 22 {
            read[1] = kind;
            read[10] = first;
            read[6] = if first == 0x45 { 20 } else { 40 };
            read[7] = 0;
        }
        if let Ok(packet) = SuperPacket::parse(&read) {
            for index in 0..packet.count().min(100) {
                let mut into = [0; 200];
                prop_assert!(packet.write(index, &mut into).is_some());
                packet.write(index, &mut into[..10]);
            }
            prop_assert!(packet.write(packet.count() + 1, &mut [0; 200]).is_none());
        }
        prop_assert!(Coalesced::of(&[&read[..], &read[..]]).count() >= 1);
    }
}
