//! The NATs of the lab behave as their names say. Needs root; says so and passes where that is missing.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use wattle_netns::{Host, Lab, Nat};

/// Answers every datagram with the address it came from, from the port it came to and from another one.
fn reflect(host: &Host) -> (SocketAddr, SocketAddr) {
    let address = IpAddr::V4(host.address());
    host.thread(|| {
        for (listen, other) in [(7000, 7001), (7002, 7003)] {
            let (main, second) =
                (UdpSocket::bind(("0.0.0.0", listen)).unwrap(), UdpSocket::bind(("0.0.0.0", other)).unwrap());
            std::thread::spawn(move || {
                let mut buffer = [0; 64];
                while let Ok((_, from)) = main.recv_from(&mut buffer) {
                    main.send_to(from.to_string().as_bytes(), from).unwrap();
                    second.send_to(b"other", from).unwrap();
                }
            });
        }
    })
    .join()
    .unwrap();
    (SocketAddr::new(address, 7000), SocketAddr::new(address, 7002))
}

struct Seen {
    mapped_first: Option<String>,
    mapped_second: Option<String>,
    other_port_came_through: bool,
}

fn probe(host: &Host, (first, second): (SocketAddr, SocketAddr)) -> Seen {
    host.thread(move || {
        let socket = UdpSocket::bind("0.0.0.0:41641").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
        let mut seen = Seen { mapped_first: None, mapped_second: None, other_port_came_through: false };
        for target in [first, second] {
            socket.send_to(b"who am i", target).unwrap();
            let mut buffer = [0; 64];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                match from {
                    _ if from == first => seen.mapped_first = Some(text),
                    _ if from == second => seen.mapped_second = Some(text),
                    _ => seen.other_port_came_through = true,
                }
            }
        }
        seen
    })
    .join()
    .unwrap()
}

#[test]
fn nats_map_and_filter_as_named() {
    let Some(mut lab) = Lab::for_test() else { return };
    let server = lab.public_host("server").unwrap();
    let targets = reflect(&server);
    for (nat, same_mapping, lets_other_ports_in) in [
        (Nat::EndpointIndependent, true, true),
        (Nat::AddressRestricted, true, true),
        (Nat::PortRestricted, true, false),
        (Nat::Symmetric, false, false),
        (Nat::Double, true, false),
    ] {
        let host = lab.host_behind(nat.name(), nat).unwrap();
        let seen = probe(&host, targets);
        assert!(seen.mapped_first.is_some() && seen.mapped_second.is_some(), "{nat:?} answers");
        assert_eq!(seen.mapped_first == seen.mapped_second, same_mapping, "{nat:?} mapping");
        assert_eq!(seen.other_port_came_through, lets_other_ports_in, "{nat:?} filtering");
    }
    let blocked = lab.host_behind("blocked", Nat::UdpBlocked).unwrap();
    assert_eq!(probe(&blocked, targets).mapped_first, None);
    let opened = lab.host_behind("opened", Nat::PortRestricted).unwrap();
    opened.set_udp_blocked(true).unwrap();
    assert_eq!(probe(&opened, targets).mapped_first, None);
    opened.set_udp_blocked(false).unwrap();
    assert!(probe(&opened, targets).mapped_first.is_some());
}

#[test]
fn a_dropped_lab_leaves_nothing_behind() {
    let Some(mut lab) = Lab::for_test() else { return };
    let host = lab.host_behind("gone", Nat::PortRestricted).unwrap();
    let namespace = host.namespace().to_owned();
    assert!(std::path::Path::new("/run/netns").join(&namespace).exists());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _lab = lab;
        panic!("a test fails");
    }));
    assert!(panicked.is_err());
    assert!(!std::path::Path::new("/run/netns").join(&namespace).exists());
}
