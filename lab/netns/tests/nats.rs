//! The NATs of the lab behave as their names say. Needs root; says so and passes where that is missing.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use wattle_netns::{Conditions, Direction, Families, Host, Lab, Nat, Six, Traffic, WireConditions};

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
        socket.set_read_timeout(Some(Duration::from_millis(800))).unwrap();
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
        (Nat::Carrier, true, true),
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

/// Sends a text from one port to an endpoint; what the receiver saw.
fn deliver(from: &Host, port: u16, to: &Host, at: SocketAddr, text: &'static [u8]) -> Option<SocketAddr> {
    let unspecified = if at.is_ipv4() { "0.0.0.0:41700" } else { "[::]:41700" };
    let (ready, is_ready) = std::sync::mpsc::channel();
    let receiver = to.thread(move || {
        let socket = UdpSocket::bind(unspecified).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(600))).unwrap();
        ready.send(()).unwrap();
        let mut buffer = [0; 64];
        let (length, seen) = socket.recv_from(&mut buffer).ok()?;
        (&buffer[..length] == text).then_some(seen)
    });
    is_ready.recv().unwrap();
    from.thread(move || {
        let socket = UdpSocket::bind((unspecified.rsplit_once(':').unwrap().0.trim_matches(['[', ']']), port)).unwrap();
        // A filter in the way may say so.
        let _refused = socket.send_to(text, at);
    })
    .join()
    .unwrap();
    receiver.join().unwrap()
}

#[test]
fn subscribers_of_a_carrier_reach_each_other_at_their_public_endpoints() {
    let Some(mut lab) = Lab::for_test() else { return };
    let server = lab.public_host("server").unwrap();
    let targets = reflect(&server);
    let carrier = lab.router("carrier", Nat::Carrier, Six::None).unwrap();
    let homes = ["one", "two"].map(|name| {
        let home = lab.router_behind(&carrier, &format!("{name}-r"), Nat::PortRestricted, Six::None).unwrap();
        lab.host_at(&home, name).unwrap()
    });
    // Each opens its own way out, as two nodes that find each other do.
    let mapped = probe(&homes[0], targets).mapped_first.unwrap();
    assert_eq!(mapped, format!("{}:41641", carrier.address().unwrap()));
    let outer = IpAddr::V4(carrier.address().unwrap());
    let public = move |port| SocketAddr::new(outer, port);
    assert_eq!(
        deliver(&homes[1], 41700, &server, SocketAddr::new(IpAddr::V4(server.address()), 41700), b"out"),
        Some(public(41700))
    );
    assert_eq!(deliver(&homes[1], 41700, &homes[0], public(41641), b"open"), None, "the home router is closed");
    let back = homes[1].thread(move || {
        let socket = UdpSocket::bind("0.0.0.0:41700").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let _refused = socket.send_to(b"hello", public(41641));
        socket.recv_from(&mut [0; 64]).map(|(_, from)| from).ok()
    });
    std::thread::sleep(Duration::from_millis(200));
    homes[0]
        .thread(move || UdpSocket::bind("0.0.0.0:41641").unwrap().send_to(b"hello", public(41700)).unwrap())
        .join()
        .unwrap();
    assert_eq!(back.join().unwrap(), Some(public(41641)));
}

#[test]
fn ipv6_passes_open_routers_and_not_firewalls() {
    let Some(mut lab) = Lab::for_test_with(Families::Both) else { return };
    let server = lab.public_host("server").unwrap();
    for (six, comes_in) in [(Six::Open, true), (Six::Firewall, false)] {
        let router = lab.router(&format!("{six:?}-r"), Nat::PortRestricted, six).unwrap();
        let inner = lab.router_behind(&router, &format!("{six:?}-rr"), Nat::PortRestricted, six).unwrap();
        for (host, name) in [(router, "near"), (inner, "far")] {
            let host = lab.host_at(&host, &format!("{six:?}-{name}")).unwrap();
            let own = SocketAddr::new(IpAddr::V6(host.address_six().unwrap()), 41700);
            let public = SocketAddr::new(IpAddr::V6(server.address_six().unwrap()), 41700);
            assert_eq!(deliver(&host, 41701, &server, public, b"out").map(|from| from.ip()), Some(own.ip()), "{name}");
            assert_eq!(deliver(&server, 41701, &host, own, b"in").is_some(), comes_in, "{six:?} {name}");
        }
    }
}

#[test]
fn a_lab_of_ipv6_alone_has_no_ipv4() {
    let Some(mut lab) = Lab::for_test_with(Families::Six) else { return };
    let server = lab.public_host("server").unwrap();
    let host = lab.host_behind("host", Nat::PortRestricted).unwrap();
    assert!(host.address().is_unspecified() && host.addresses().count() == 1);
    let public = SocketAddr::new(IpAddr::V6(server.address_six().unwrap()), 41700);
    assert!(deliver(&host, 41701, &server, public, b"out").is_some());
}

#[test]
fn conditions_drop_what_they_name_and_nothing_else() {
    let Some(mut lab) = Lab::for_test() else { return };
    let server = lab.public_host("server").unwrap();
    let host = lab.host_behind("host", Nat::PortRestricted).unwrap();
    let public = SocketAddr::new(IpAddr::V4(server.address()), 41700);
    let passes = |text| deliver(&host, 41701, &server, public, text).is_some();
    const DISCO: &[u8] = "TS\u{1f4ac}ping".as_bytes();
    const DATA: &[u8] = b"\x04\0\0\0sealed";
    assert!(passes(DISCO) && passes(DATA));
    let router = host.router().unwrap();
    let dropped = |traffic| Conditions { dropped: vec![(Direction::Out, traffic)], ..Conditions::default() };
    router.set_conditions(&dropped(Traffic::Disco)).unwrap();
    assert!(!passes(DISCO) && passes(DATA));
    router.set_conditions(&dropped(Traffic::WireGuard)).unwrap();
    assert!(passes(DISCO) && !passes(DATA));
    router.set_conditions(&Conditions { loss_percent: Some((Direction::Out, 100)), ..Conditions::default() }).unwrap();
    assert!(!passes(DISCO));
    router.set_conditions(&Conditions::default()).unwrap();
    assert!(passes(DISCO) && passes(DATA));
}

#[test]
fn a_rebooted_router_maps_anew() {
    let Some(mut lab) = Lab::for_test() else { return };
    let server = lab.public_host("server").unwrap();
    let host = lab.host_behind("host", Nat::PortRestricted).unwrap();
    let (public, router) = (SocketAddr::new(IpAddr::V4(server.address()), 41700), host.router().unwrap());
    let port = || deliver(&host, 41641, &server, public, b"who").map(|from| from.port());
    assert_eq!(port(), Some(41641));
    router.reboot(&[41641], true).unwrap();
    assert_eq!(port(), Some(51641));
    router.reboot(&[41641], false).unwrap();
    assert_eq!(port(), Some(41641));
}

#[test]
fn a_growing_lab_goes_on_carrying() {
    let Some(mut lab) = Lab::for_test_with(Families::Both) else { return };
    let server = lab.public_host("server").unwrap();
    let router = lab.router("r", Nat::PortRestricted, Six::Open).unwrap();
    let home = lab.host_at(&router, "home").unwrap();
    // By way of the public network's router, whose hardware address the server remembers.
    let six = home.addresses().find(IpAddr::is_ipv6).unwrap();
    let to = SocketAddr::new(six, 41_700);
    assert!(deliver(&server, 7000, &home, to, b"before").is_some());
    for number in 1..9 {
        lab.public_host(&format!("more{number}")).unwrap();
        assert!(deliver(&server, 7000 + number, &home, to, b"after").is_some(), "{number} more hosts");
    }
}

#[test]
fn a_host_roams_and_a_slow_wire_is_slow() {
    let Some(mut lab) = Lab::for_test() else { return };
    let server = lab.public_host("server").unwrap();
    let mut host = lab.host_behind("host", Nat::PortRestricted).unwrap();
    let latency = Duration::from_millis(20);
    lab.set_wire(Some(WireConditions { latency, ..WireConditions::default() }));
    let far = lab.router("far", Nat::PortRestricted, Six::None).unwrap();
    let public = SocketAddr::new(IpAddr::V4(server.address()), 41700);
    let targets = reflect(&server);
    let round_trip = |host: &Host| {
        let first = targets.0;
        let took = host.thread(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            // The first one asks for addresses on the way.
            (0..2).fold(Duration::MAX, |least, _| {
                let sent = std::time::Instant::now();
                socket.send_to(b"x", first).unwrap();
                socket.recv_from(&mut [0; 64]).unwrap();
                least.min(sent.elapsed())
            })
        });
        took.join().unwrap()
    };
    let near_took = round_trip(&host);
    let before = host.address();
    lab.roam(&mut host, &far).unwrap();
    assert_ne!(host.address(), before);
    assert_eq!(deliver(&host, 41701, &server, public, b"out").map(|from| from.ip()), far.address().map(IpAddr::V4));
    let far_took = round_trip(&host);
    assert!(far_took >= latency * 2 && near_took < far_took, "{near_took:?} {far_took:?}");
}
