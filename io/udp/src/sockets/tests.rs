//! Over the loopback interface, where GSO and GRO work as on any other.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::{Batch, Sent};

const ANY: Bind = Bind { port: 0, mark: None };

fn v4(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Receives until `count` datagrams are there.
fn receive(receiver: &mut UdpReceiver, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut batch = Batch::new();
    let mut seen = Vec::new();
    while seen.len() < count {
        receiver.recv(&mut batch).unwrap();
        for mut group in batch.groups_mut() {
            let from = group.from;
            seen.extend(group.datagrams_mut().map(|datagram| (from, datagram.to_vec())));
        }
    }
    seen
}

#[test]
fn a_datagram_arrives_with_its_sender() {
    let (here, there) = (UdpSockets::bind(&ANY).unwrap(), UdpSockets::bind(&ANY).unwrap());
    assert_eq!(here.sender().send(v4(there.port()), b"hello"), Sent::Yes);
    assert_eq!(receive(&mut there.receiver(), 1), [(v4(here.port()), b"hello".to_vec())]);
}

#[test]
fn both_families_come_in_at_one_receiver() {
    let (here, there) = (UdpSockets::bind(&ANY).unwrap(), UdpSockets::bind(&ANY).unwrap());
    let (Some(from), Some(to)) = (here.port_v6(), there.port_v6()) else {
        println!("skipped: this host has no IPv6");
        return;
    };
    let sender = here.sender();
    assert_eq!(sender.send((Ipv6Addr::LOCALHOST, to).into(), b"six"), Sent::Yes);
    assert_eq!(sender.send(v4(there.port()), b"four"), Sent::Yes);
    let mut seen = receive(&mut there.receiver(), 2);
    seen.sort();
    let six = ((Ipv6Addr::LOCALHOST, from).into(), b"six".to_vec());
    assert_eq!(seen, [(v4(here.port()), b"four".to_vec()), six]);
}

#[test]
fn many_segments_arrive_in_order_and_the_last_may_be_short() {
    let (here, there) = (UdpSockets::bind(&ANY).unwrap(), UdpSockets::bind(&ANY).unwrap());
    let packets: Vec<u8> = (0..150u16).flat_map(|number| vec![number as u8; 1312]).chain([7; 100]).collect();
    assert_eq!(here.sender().send_segments(v4(there.port()), &packets, 1312), Sent::Yes);
    let seen = receive(&mut there.receiver(), 151);
    let lengths: Vec<usize> = seen.iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!((&lengths[..150], lengths[150]), (&[1312; 150][..], 100));
    assert_eq!(seen.into_iter().flat_map(|(_, bytes)| bytes).collect::<Vec<u8>>(), packets);
}

#[test]
fn a_port_that_is_taken_is_replaced_by_another() {
    let taken = UdpSockets::bind(&ANY).unwrap();
    let other = UdpSockets::bind(&Bind { port: taken.port(), mark: None }).unwrap();
    assert_ne!(other.port(), taken.port());
    assert_ne!(other.port(), 0);
}

#[test]
fn rebinding_keeps_the_port_and_everybody_goes_on() {
    let (here, there) = (UdpSockets::bind(&ANY).unwrap(), UdpSockets::bind(&ANY).unwrap());
    let (port, port_v6) = (there.port(), there.port_v6());
    let mut receiver = there.receiver();
    let (sender, answerer) = (here.sender(), there.sender());
    for _ in 0..3 {
        there.rebind().unwrap();
        assert_eq!((there.port(), there.port_v6()), (port, port_v6));
    }
    assert_eq!(sender.send(v4(port), b"still there?"), Sent::Yes);
    assert_eq!(receive(&mut receiver, 1), [(v4(here.port()), b"still there?".to_vec())]);
    assert_eq!(answerer.send(v4(here.port()), b"yes"), Sent::Yes);
    assert_eq!(receive(&mut here.receiver(), 1), [(v4(port), b"yes".to_vec())]);
    let thief = UdpSockets::bind(&Bind { port, mark: None }).unwrap();
    assert_ne!(thief.port(), port, "after a rebind the port is ours alone again");
}

#[test]
fn a_blocked_receiver_follows_a_rebind() {
    let (here, there) = (UdpSockets::bind(&ANY).unwrap(), UdpSockets::bind(&ANY).unwrap());
    let mut receiver = there.receiver();
    let thread = std::thread::spawn(move || receive(&mut receiver, 1).remove(0).1);
    there.rebind().unwrap();
    assert_eq!(here.sender().send(v4(there.port()), b"new"), Sent::Yes);
    assert_eq!(thread.join().unwrap(), b"new");
}

#[test]
fn stopping_wakes_a_blocked_receiver_for_good() {
    let sockets = UdpSockets::bind(&ANY).unwrap();
    let mut receiver = sockets.receiver();
    let thread = std::thread::spawn(move || {
        let outcome = receiver.recv(&mut Batch::new());
        (outcome, receiver)
    });
    sockets.stop();
    let (outcome, mut receiver) = thread.join().unwrap();
    assert!(matches!(outcome, Err(UdpError::Stopped)));
    assert!(matches!(receiver.recv(&mut Batch::new()), Err(UdpError::Stopped)));
    assert!(matches!(sockets.rebind(), Err(UdpError::Stopped)));
}

#[test]
fn what_cannot_be_sent_is_told_apart() {
    let sender = UdpSockets::bind(&ANY).unwrap().sender();
    let to = v4(9);
    assert_eq!(sender.send(to, &[0; 70_000]), Sent::TooLarge);
    assert_eq!(sender.send_segments(to, &[], 1000), Sent::Yes);
    assert_eq!(sender.send_segments(to, &[1], 0), Sent::Yes);
    // Port 0 is no port.
    assert_ne!(sender.send("240.0.0.1:0".parse().unwrap(), b"x"), Sent::Yes);
}

#[test]
fn a_marked_socket_needs_rights_or_has_its_mark() {
    match UdpSockets::bind(&Bind { port: 0, mark: Some(0x80000) }) {
        Ok(sockets) => {
            let pair = sockets.core.pair.load();
            for socket in pair.each() {
                assert_eq!(socket2::SockRef::from(&socket.io).mark().unwrap(), 0x80000);
            }
        }
        Err(error) => assert!(matches!(error, UdpError::Permission), "{error}"),
    }
}

#[test]
fn an_answer_from_a_closed_port_does_not_end_receiving() {
    let here = UdpSockets::bind(&ANY).unwrap();
    let closed = UdpSockets::bind(&ANY).unwrap().port();
    let sender = here.sender();
    assert_eq!(sender.send(v4(closed), b"anyone?"), Sent::Yes);
    assert_eq!(sender.send(v4(here.port()), b"me"), Sent::Yes);
    assert_eq!(receive(&mut here.receiver(), 1), [(v4(here.port()), b"me".to_vec())]);
}

#[test]
fn runs_over_a_link_that_is_too_small_arrive_cut_and_others_stay_whole() {
    let thread = std::thread::spawn(|| {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            println!("skipped: no network namespace of our own: {error}");
            return;
        }
        let ip = |words: &str| {
            let status = std::process::Command::new("ip").args(words.split(' ')).status();
            status.is_ok_and(|status| status.success())
        };
        if !ip("link set lo mtu 1200") || !ip("link set lo up") {
            println!("skipped: the loopback interface cannot be made small");
            return;
        }
        let (here, there) = (UdpSockets::bind(&ANY).unwrap(), UdpSockets::bind(&ANY).unwrap());
        let mut receiver = there.receiver();
        let packets: Vec<u8> = (0..20u8).flat_map(|number| vec![number; 1312]).collect();
        for _ in 0..2 {
            assert_eq!(here.sender().send_segments(v4(there.port()), &packets, 1312), Sent::Yes);
            let seen: Vec<u8> = receive(&mut receiver, 20).into_iter().flat_map(|(_, bytes)| bytes).collect();
            assert_eq!(seen, packets);
        }
        assert!(here.gso(), "other destinations still get runs");
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
