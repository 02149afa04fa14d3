//! The largest segment that TCP connections agree on, made to fit a tunnel (RFC 4459 section 3.2, RFC 6691).
//!
//! Hosts that know nothing of the tunnel offer what their own network carries. What does not fit would be dropped
//! silently wherever ICMP is filtered, so that the offer is made smaller on its way through.

use crate::checksum;

/// IP and TCP headers without options: the MSS counts what comes after them.
const V4_HEADERS: usize = 20 + 20;
const V6_HEADERS: usize = 40 + 20;
/// No host need take less (RFC 9293 section 3.7.1); a path that carries less fragments.
const MSS_MIN: usize = 536;
const TCP: u8 = 6;
const SYN: u8 = 0x02;
const TCP_HEADER: usize = 20;
const CHECKSUM: usize = 16;

/// Lowers the MSS that a TCP SYN or SYN-ACK offers to what IP packets of `mtu` bytes hold. Whether it did; anything else
/// stays as it is, whatever is wrong with it. Most packets are told apart by two bytes.
pub fn clamp_mss(packet: &mut [u8], mtu: usize) -> bool {
    clamp(packet, mtu).is_some()
}

fn clamp(packet: &mut [u8], mtu: usize) -> Option<()> {
    let (at, headers) = syn_at(packet)?;
    let segment = packet.get_mut(at..)?;
    let header_length = usize::from(segment.get(12)? >> 4) * 4;
    let most = u16::try_from(mtu.saturating_sub(headers).max(MSS_MIN)).unwrap_or(u16::MAX);
    let value_at = mss_at(segment.get(TCP_HEADER..header_length)?)? + TCP_HEADER;
    let offered = u16::from_be_bytes(*segment.get(value_at..)?.first_chunk()?);
    if offered <= most {
        return None;
    }
    // The checksum sums words that begin at even places; the value may not.
    let words = value_at & !1..(value_at + 3) & !1;
    let mut old = [0; 4];
    let old = old.get_mut(..words.len())?;
    old.copy_from_slice(segment.get(words.clone())?);
    segment.get_mut(value_at..value_at + 2)?.copy_from_slice(&most.to_be_bytes());
    let sum = u16::from_be_bytes(*segment.get(CHECKSUM..)?.first_chunk()?);
    let sum = checksum::update(sum, old, segment.get(words)?);
    segment.get_mut(CHECKSUM..CHECKSUM + 2)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

/// Where the TCP header of a SYN begins, and what its headers take.
fn syn_at(packet: &[u8]) -> Option<(usize, usize)> {
    let (at, headers) = match packet.first()? >> 4 {
        4 if *packet.get(9)? == TCP => {
            // A later fragment has no TCP header.
            let is_later = packet.get(6)? & 0x1f != 0 || *packet.get(7)? != 0;
            (!is_later).then_some((usize::from(packet.first()? & 0x0f) * 4, V4_HEADERS))?
        }
        // Extension headers before a SYN are nothing that TCP stacks send.
        6 if *packet.get(6)? == TCP => (40, V6_HEADERS),
        _ => return None,
    };
    (packet.get(at + 13)? & SYN != 0).then_some((at, headers))
}

/// Where the value of the MSS option stands among the options.
fn mss_at(options: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match (options.get(at)?, options.get(at + 1)) {
            (0, _) => return None,
            (1, _) => at += 1,
            (2, Some(4)) if options.len() >= at + 4 => return Some(at + 2),
            (_, Some(&length @ 2..)) => at += usize::from(length),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::{IpPacket, build, protocol};

    fn ends(is_v4: bool) -> (IpAddr, IpAddr) {
        let texts = if is_v4 { ["10.0.0.1", "10.0.0.2"] } else { ["fd00::1", "fd00::2"] };
        (texts[0].parse().unwrap(), texts[1].parse().unwrap())
    }

    fn segment(is_v4: bool, flags: u8, options: &[u8]) -> Vec<u8> {
        assert_eq!(options.len() % 4, 0);
        let (from, to) = ends(is_v4);
        let mut tcp = vec![0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0, flags, 0xff, 0xff, 0, 0, 0, 0];
        tcp[12] = u8::try_from((20 + options.len()) / 4).unwrap() << 4;
        tcp.extend_from_slice(options);
        let sum = checksum::transport(from, to, protocol::TCP, &tcp);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let mut packet = Vec::new();
        build::ip(from, to, protocol::TCP, &tcp, &mut packet).unwrap();
        packet
    }

    fn is_whole(packet: &[u8], is_v4: bool) -> bool {
        let (from, to) = ends(is_v4);
        checksum::transport(from, to, protocol::TCP, IpPacket::parse(packet).unwrap().payload()) == 0
    }

    /// What Linux sends: MSS, SACK permitted, timestamps, NOP, window scale.
    fn linux(mss: u16) -> Vec<u8> {
        let [high, low] = mss.to_be_bytes();
        vec![2, 4, high, low, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7]
    }

    #[test]
    fn what_ethernet_offers_is_lowered_to_what_the_tunnel_holds() {
        for (is_v4, flags, most) in [(true, 0x02, 1240), (true, 0x12, 1240), (false, 0x02, 1220), (false, 0x12, 1220)] {
            let mut packet = segment(is_v4, flags, &linux(1460));
            assert!(clamp_mss(&mut packet, 1280));
            assert_eq!(packet, segment(is_v4, flags, &linux(most)));
            assert!(!clamp_mss(&mut packet, 1280), "what fits stays");
        }
    }

    #[test]
    fn other_packets_stay_as_they_are() {
        let mut later = segment(true, 0x02, &linux(1460));
        later[7] = 1;
        for mut packet in [
            segment(true, 0x10, &linux(1460)),
            segment(true, 0x02, &[]),
            segment(true, 0x02, &[1, 1, 0, 0, 2, 4, 5, 180]),
            segment(false, 0x02, &[2, 3, 5, 180]),
            segment(true, 0x02, &[3, 0, 0, 0, 2, 4, 5, 180]),
            later,
        ] {
            let before = packet.clone();
            assert!(!clamp_mss(&mut packet, 1280));
            assert_eq!(packet, before);
        }
    }

    #[test]
    fn no_host_is_asked_to_take_less_than_it_must() {
        let mut packet = segment(true, 0x02, &linux(1460));
        assert!(clamp_mss(&mut packet, 0));
        assert_eq!(packet, segment(true, 0x02, &linux(536)));
    }

    proptest! {
        #[test]
        fn a_lowered_offer_has_a_right_checksum_wherever_it_stands(is_v4: bool, before in 0usize..6, mss: u16, mtu in 600usize..2000) {
            let mut options = vec![1; before];
            options.extend_from_slice(&[2, 4]);
            options.extend_from_slice(&mss.to_be_bytes());
            options.resize(options.len().next_multiple_of(4), 0);
            let mut packet = segment(is_v4, 0x02, &options);
            let most = mtu - if is_v4 { 40 } else { 60 };
            prop_assert_eq!(clamp_mss(&mut packet, mtu), usize::from(mss) > most.max(536));
            prop_assert!(is_whole(&packet, is_v4));
            prop_assert!(!clamp_mss(&mut packet, mtu));
        }

        #[test]
        fn random_bytes_keep_their_length_and_nothing_but_two_words_changes(mut bytes in prop::collection::vec(any::<u8>(), 0..120), six: bool, mtu: u16) {
            if let Some(first) = bytes.first_mut() {
                *first = if six { 0x60 } else { 0x45 };
            }
            let before = bytes.clone();
            clamp_mss(&mut bytes, usize::from(mtu));
            let changed = bytes.iter().zip(&before).filter(|(new, old)| new != old).count();
            prop_assert!(bytes.len() == before.len() && changed <= 4);
        }
    }
}
