//! A router with miniupnpd opens a port to whoever asks by NAT-PMP (RFC 6886), and forgets it with its memory.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use wattle_netns::{Host, Lab, LabError, Nat, PortMapping, Six};

const PORT: u16 = 41_641;

/// Asks the router to map a UDP port; the outer port that it gives.
fn ask(host: &Host) -> Option<u16> {
    let router = SocketAddr::new(IpAddr::V4(host.gateway()?), 5351);
    host.thread(move || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let [high, low] = PORT.to_be_bytes();
        let question = [0, 1, 0, 0, high, low, high, low, 0, 0, 14, 16];
        let mut answer = [0; 16];
        // It takes a moment to come up.
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            let _not_up_yet = socket.send_to(&question, router);
            if socket.recv(&mut answer).is_ok_and(|length| length == 16) && answer[1] == 129 && answer[3] == 0 {
                return Some(u16::from_be_bytes([answer[10], answer[11]]));
            }
        }
        None
    })
    .join()
    .unwrap()
}

/// Whether a stranger's packet to an outer endpoint reaches the host.
fn reaches(stranger: &Host, at: SocketAddr, host: &Host) -> bool {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let receiver = host.thread(move || {
        let socket = UdpSocket::bind(("0.0.0.0", PORT)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(800))).unwrap();
        ready.send(()).unwrap();
        socket.recv_from(&mut [0; 16]).is_ok()
    });
    is_ready.recv().unwrap();
    stranger.thread(move || UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"hello", at).unwrap()).join().unwrap();
    receiver.join().unwrap()
}

#[test]
fn a_port_opens_when_it_is_asked_for_and_closes_when_the_router_forgets() {
    let Some(mut lab) = Lab::for_test() else { return };
    let stranger = lab.public_host("stranger").unwrap();
    let router = lab.router("router", Nat::Symmetric, Six::None).unwrap();
    let host = lab.host_at(&router, "host").unwrap();
    let mapping = match PortMapping::start(&lab, &router) {
        Ok(mapping) => mapping,
        Err(why @ LabError::MissingTool { .. }) if std::env::var("WATTLE_LABS").as_deref() != Ok("required") => {
            eprintln!("skipped: {why}");
            return;
        }
        Err(why) => panic!("{why}"),
    };
    let outer = SocketAddr::new(IpAddr::V4(mapping.address()), PORT);
    assert!(!reaches(&stranger, outer, &host));
    assert_eq!(ask(&host), Some(PORT), "{}", mapping.log());
    assert!(reaches(&stranger, outer, &host));
    let _mapping = mapping.restart(&lab).unwrap();
    assert!(!reaches(&stranger, outer, &host));
}
