//! Our port mapping against a router that people have: miniupnpd by PCP, NAT-PMP and UPnP. Needs root; says so and passes
//! where that or miniupnpd is missing.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use wattle_netns::{Host, Inside, Lab, LabError, Nat, PortMapping, Six};
use wattle_portmap::{Gateway, Portmap, Protocol, Protocols};

const OWN_PORT: u16 = 41641;
const PATIENCE: Duration = Duration::from_secs(40);
const NONE: Protocols = Protocols { pcp: false, pmp: false, upnp: false };

/// Our side, in a thread inside the host. It ends, and gives the mapping back, when `stop` is dropped.
struct Ours {
    told: mpsc::Receiver<Option<(SocketAddrV4, Protocol)>>,
    stop: tokio::sync::oneshot::Sender<()>,
    thread: Inside<()>,
}

impl Ours {
    fn start(host: &Host, protocols: Protocols) -> Self {
        let [a, b, c, _] = host.address().octets();
        let gateway = Gateway { router: Ipv4Addr::new(a, b, c, 1), own: SocketAddrV4::new(host.address(), OWN_PORT) };
        let (tell, told) = mpsc::channel();
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let thread = host.thread(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let (portmap, mut status) = Portmap::start(None, protocols, [7; 32]);
                portmap.set_gateway(Some(gateway));
                // As the node does whenever it measures its network.
                let mut looks = tokio::time::interval(Duration::from_secs(1));
                loop {
                    tokio::select! {
                        _ = looks.tick() => portmap.refresh(),
                        Some(status) = status.recv() => {
                            let mapping = status.mapping.map(|mapping| (mapping.external, mapping.protocol));
                            tell.send(mapping).unwrap();
                        }
                        _ = &mut stopped => break,
                    }
                }
                portmap.release().await;
            });
        });
        Self { told, stop, thread }
    }

    fn mapping(&self) -> (SocketAddrV4, Protocol) {
        let since = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(since.elapsed());
            if let Some(mapping) = self.told.recv_timeout(left).expect("a mapping in time") {
                return mapping;
            }
        }
    }

    fn release(self) {
        drop(self.stop);
        self.thread.join().unwrap();
    }
}

/// Whether a datagram from outside to `external` comes to our port within a second.
fn passes(outside: &Host, inside: &Host, external: SocketAddrV4) -> bool {
    let receiver = inside.thread(|| {
        let socket = UdpSocket::bind(("0.0.0.0", OWN_PORT)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        socket.recv_from(&mut [0; 16]).is_ok()
    });
    outside
        .thread(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            for _ in 0..8 {
                socket.send_to(b"knock", SocketAddr::V4(external)).unwrap();
                std::thread::sleep(Duration::from_millis(100));
            }
        })
        .join()
        .unwrap();
    receiver.join().unwrap()
}

/// Each protocol gets a lab of its own: what the router remembers of connections must not let anything through.
fn maps_and_gives_back(protocols: Protocols, expected: Protocol) {
    let Some(mut lab) = Lab::for_test() else { return };
    let router = lab.router("router", Nat::Symmetric, Six::None).unwrap();
    let (inside, outside) = (lab.host_at(&router, "inside").unwrap(), lab.public_host("outside").unwrap());
    let daemon = match PortMapping::start(&lab, &router) {
        Err(error @ LabError::MissingTool { .. }) => return println!("skipped: {error}"),
        daemon => daemon.unwrap(),
    };
    std::thread::sleep(Duration::from_millis(500));
    let ours = Ours::start(&inside, protocols);
    let (external, protocol) = ours.mapping();
    assert_eq!((*external.ip(), protocol), (daemon.address(), expected), "{}", daemon.log());
    assert!(passes(&outside, &inside, external), "{}", daemon.log());

    // The router forgets: the next look brings the mapping back.
    let daemon = daemon.restart(&lab).unwrap();
    let since = Instant::now();
    while !passes(&outside, &inside, external) {
        assert!(since.elapsed() < PATIENCE, "{}", daemon.log());
    }
    ours.release();
    // A datagram that takes a mapping away is not answered for.
    std::thread::sleep(Duration::from_millis(300));
    assert!(!passes(&outside, &inside, external), "{}", daemon.log());
}

#[test]
fn pcp_maps_our_port_again_after_a_restart_and_gives_it_back() {
    maps_and_gives_back(Protocols { pcp: true, ..NONE }, Protocol::Pcp);
}

#[test]
fn nat_pmp_maps_our_port_again_after_a_restart_and_gives_it_back() {
    maps_and_gives_back(Protocols { pmp: true, ..NONE }, Protocol::Pmp);
}

#[test]
fn upnp_maps_our_port_again_after_a_restart_and_gives_it_back() {
    maps_and_gives_back(Protocols { upnp: true, ..NONE }, Protocol::Upnp);
}
