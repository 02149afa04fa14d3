//! Our tunnel and wireguard-go understand each other, whoever begins. Needs root and a `wireguard-go` in the `PATH` (Debian
//! has a package of that name); says so and passes where that is missing.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use wattle_keys::{NodePrivate, NodePublic};
use wattle_netns::{Host, Lab, Process};
use wattle_wireguard_interop::Endpoint;

const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 98, 0, 1));
const THEIRS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 98, 0, 2));
const PORT: u16 = 51_820;
static INTERFACES: AtomicU32 = AtomicU32::new(0);

/// A running wireguard-go with an interface of its own.
struct WireGuardGo {
    _process: Process,
}

fn hex(bytes: &[u8; 32]) -> String {
    NodePublic::from_bytes(*bytes).to_hex()
}

/// Starts it inside `host`. `None`, with the reason printed, where there is no such program.
fn wireguard_go(
    host: &Host,
    private: &NodePrivate,
    peer: &NodePublic,
    psk: Option<[u8; 32]>,
    endpoint: Option<SocketAddr>,
) -> Option<WireGuardGo> {
    if Command::new("wireguard-go").arg("--version").stdout(Stdio::null()).status().is_err() {
        assert_ne!(std::env::var("WATTLE_LABS").as_deref(), Ok("required"), "wireguard-go is missing");
        eprintln!("skipped: wireguard-go is not installed");
        return None;
    }
    // Control sockets are files of the machine, so interfaces in all namespaces need names of their own.
    let interface = format!("wgt{}x{}", std::process::id() % 100_000, INTERFACES.fetch_add(1, Ordering::Relaxed));
    let process =
        host.spawn(host.command("wireguard-go").args(["-f", &interface]).env("WG_PROCESS_FOREGROUND", "1")).unwrap();
    let path = format!("/var/run/wireguard/{interface}.sock");
    let mut control = (0..100)
        .find_map(|_| {
            UnixStream::connect(&path).ok().or_else(|| {
                std::thread::sleep(Duration::from_millis(50));
                None
            })
        })
        .unwrap();
    let mut settings =
        format!("set=1\nprivate_key={}\nlisten_port={PORT}\npublic_key={}\n", hex(private.expose()), peer.to_hex());
    if let Some(psk) = psk {
        settings += &format!("preshared_key={}\n", hex(&psk));
    }
    if let Some(endpoint) = endpoint {
        settings += &format!("endpoint={endpoint}\n");
    }
    settings += "allowed_ip=10.98.0.0/24\n\n";
    control.write_all(settings.as_bytes()).unwrap();
    let mut answer = [0; 64];
    let length = control.read(&mut answer).unwrap();
    assert_eq!(&answer[..length], b"errno=0\n\n");
    for arguments in [format!("addr add {THEIRS}/24 dev {interface}"), format!("link set {interface} mtu 1280 up")] {
        let done = host.run(host.command("ip").args(arguments.split(' '))).unwrap();
        assert!(done.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    }
    Some(WireGuardGo { _process: process })
}

fn keys() -> (NodePrivate, NodePrivate) {
    (NodePrivate::from_bytes([0x11; 32]), NodePrivate::from_bytes([0x22; 32]))
}

#[test]
fn we_begin_and_they_answer_with_and_without_a_preshared_key() {
    for psk in [None, Some([0x33; 32])] {
        let Some(mut lab) = Lab::for_test() else { return };
        let (here, there) = (lab.public_host("a").unwrap(), lab.public_host("b").unwrap());
        let (ours, theirs) = keys();
        let Some(_rival) = wireguard_go(&there, &theirs, &ours.public(), psk, None) else { return };
        let to = SocketAddr::new(there.address().into(), PORT);
        let status = here
            .thread(move || {
                let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                let mut endpoint = Endpoint::new(ours, theirs.public(), psk, socket, Some(to), OURS).unwrap();
                for sequence in 0..20 {
                    assert!(endpoint.ping(THEIRS, sequence, Duration::from_secs(8)).unwrap(), "ping {sequence}");
                }
                assert_eq!(endpoint.refused, 0);
                endpoint.status()
            })
            .join()
            .unwrap();
        assert!(status.last_handshake.is_some() && status.received_bytes > 0);
    }
}

#[test]
fn they_begin_and_we_answer() {
    let Some(mut lab) = Lab::for_test() else { return };
    let (here, there) = (lab.public_host("a").unwrap(), lab.public_host("b").unwrap());
    let (ours, theirs) = keys();
    let us = SocketAddr::new(here.address().into(), PORT);
    let Some(_rival) = wireguard_go(&there, &theirs, &ours.public(), None, Some(us)) else { return };
    let done = Arc::new(AtomicBool::new(false));
    let served = done.clone();
    let serving = here.thread(move || {
        let socket = UdpSocket::bind(("0.0.0.0", PORT)).unwrap();
        let mut endpoint = Endpoint::new(ours, theirs.public(), None, socket, None, OURS).unwrap();
        endpoint.serve(Duration::from_secs(30), || served.load(Ordering::Relaxed)).unwrap();
        endpoint.status()
    });
    let pinged = there.run(there.command("ping").args(["-c", "5", "-i", "0.2", "-W", "8", &OURS.to_string()])).unwrap();
    done.store(true, Ordering::Relaxed);
    let status = serving.join().unwrap();
    assert!(pinged.status.success(), "{}", String::from_utf8_lossy(&pinged.stdout));
    assert!(status.last_handshake.is_some() && status.received_bytes > 0);
}
