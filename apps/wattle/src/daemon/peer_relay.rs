//! The relay for peers: sockets of its own, a thread that forwards, and its addresses, found by a netcheck of its own.
//!
//! Not who may use it: the node has asked the packet filter before a request comes here.

mod forwarding;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use tokio::sync::mpsc;
use wattle_host::BYPASS_MARK;
use wattle_keys::NodePublic;
use wattle_netcheck::{Event, LocalNetwork, Netcheck};
use wattle_netmap::DerpMap;
use wattle_relay_core::{PeerRelay, Refusal, SessionStatus};
use wattle_time::{Deadline, Instant, earliest};
use wattle_udp::{Bind, UdpSender, UdpSockets};
use wattle_wire::disco::{AllocateRequest, Allocation};
use wattle_wire::local::Prefs;

use super::input::Input;
use super::limits::RELAY_ADDRESSES_FRESH;

/// What people want of the relay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// The port; 0: any; `None`: no relay.
    pub(super) port: Option<u16>,
    /// Addresses at which it may be reached, beside those that it finds.
    pub(super) endpoints: Vec<SocketAddr>,
}

/// Where the relay runs, or would.
pub(super) struct RelaySeat {
    inputs: mpsc::Sender<Input>,
    wish: Wish,
    network: LocalNetwork,
    derp: DerpMap,
    running: Option<Running>,
    problem: Option<String>,
}

/// A relay that runs.
struct Running {
    relay: Arc<Mutex<PeerRelay>>,
    sockets: UdpSockets,
    sender: UdpSender,
    netcheck: Netcheck,
    checked_at: Option<Instant>,
    thread: JoinHandle<()>,
}

impl Wish {
    /// What the preferences say, if the network lets us.
    pub(super) fn of(prefs: &Prefs, may_relay: bool) -> Self {
        let port = prefs.relay_server_port.filter(|_| may_relay && prefs.want_running);
        Self { port, endpoints: prefs.relay_server_static_endpoints.clone() }
    }
}

impl RelaySeat {
    /// Without a relay. What comes to its sockets and is not its own business goes into `inputs`.
    pub(super) fn new(inputs: mpsc::Sender<Input>) -> Self {
        let (network, derp) = (LocalNetwork::default(), DerpMap::default());
        Self { inputs, wish: Wish::default(), network, derp, running: None, problem: None }
    }

    /// Starts, stops or restarts the relay. Returns the names that it wants looked up.
    pub(super) fn want(&mut self, wish: Wish, now: Instant) -> Vec<String> {
        if wish == self.wish {
            return Vec::new();
        }
        if wish.port != self.wish.port {
            self.stop();
        }
        self.wish = wish;
        self.problem = None;
        if let (Some(port), None) = (self.wish.port, &self.running) {
            match Running::start(port, self.inputs.clone(), now) {
                Ok(running) => self.running = Some(running),
                Err(error) => {
                    tracing::error!(%error, port, "no relay for peers");
                    self.problem = Some(format!("the relay for peers cannot run at port {port}: {error}"));
                }
            }
        }
        self.set_network(self.network.clone(), now)
    }

    /// The host's network is this one now; the ports in it are not the relay's.
    pub(super) fn set_network(&mut self, network: LocalNetwork, now: Instant) -> Vec<String> {
        self.network = network;
        let (derp, addresses) = (self.derp.clone(), self.network.addresses.clone());
        self.check(now, |running, out| {
            let local = LocalNetwork { addresses, port_v4: running.sockets.port(), port_v6: running.sockets.port_v6() };
            running.netcheck.set_local(local, now, out);
            running.netcheck.set_derp_map(&derp, now, out);
        })
    }

    /// The relays that can say what our address looks like.
    pub(super) fn set_derp_map(&mut self, derp: &DerpMap, now: Instant) -> Vec<String> {
        if self.derp == *derp {
            return Vec::new();
        }
        self.derp = derp.clone();
        self.check(now, |running, out| running.netcheck.set_derp_map(derp, now, out))
    }

    /// A STUN response came to the relay's socket.
    pub(super) fn handle_stun(&mut self, from: SocketAddr, packet: &[u8], now: Instant) -> Vec<String> {
        self.check(now, |running, out| _ = running.netcheck.handle_stun(from, packet, now, out))
    }

    /// A name was looked up, perhaps for us.
    pub(super) fn handle_resolved(&mut self, host: &str, addresses: &[std::net::IpAddr], now: Instant) -> Vec<String> {
        self.check(now, |running, out| running.netcheck.handle_resolved(host, addresses, now, out))
    }

    /// Sets something aside for a pair of clients.
    pub(super) fn allocate(
        &mut self,
        from: NodePublic,
        request: &AllocateRequest,
        now: Instant,
    ) -> (Option<Result<Allocation, Refusal>>, Vec<String>) {
        let Some(running) = &self.running else { return (None, Vec::new()) };
        let outcome = running.lock().allocate(from, request.clients, now);
        let lookups = self.check(now, |running, out| {
            running.netcheck.note_activity(now);
            if running.checked_at.is_none_or(|checked| now.since(checked) > RELAY_ADDRESSES_FRESH) {
                running.netcheck.refresh(now, out);
            }
        });
        (Some(outcome), lookups)
    }

    /// Lets time pass.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<String> {
        self.check(now, |running, out| {
            let mut relay = running.lock();
            relay.handle_timeout(now);
            // While clients come through a NAT of ours, its mapping must not end.
            let in_use = relay.is_in_use();
            drop(relay);
            if in_use {
                running.netcheck.note_activity(now);
            }
            running.netcheck.handle_timeout(now, out);
        })
    }

    /// When to call [`Self::handle_timeout`].
    pub(super) fn next_timeout(&self) -> Option<Deadline> {
        let running = self.running.as_ref()?;
        earliest([running.netcheck.next_timeout(), running.lock().next_timeout()])
    }

    /// Ends the relay.
    pub(super) fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.sockets.stop();
        if running.thread.join().is_err() {
            tracing::error!("the thread of the relay for peers had panicked");
        }
    }

    /// Why there is no relay though people want one.
    pub(super) fn problem(&self) -> Option<&String> {
        self.problem.as_ref()
    }

    /// The port it runs at.
    pub(super) fn port(&self) -> Option<u16> {
        self.running.as_ref().map(|running| running.sockets.port())
    }

    /// What it carries.
    pub(super) fn sessions(&self) -> Vec<SessionStatus> {
        self.running.as_ref().map(|running| running.lock().sessions().collect()).unwrap_or_default()
    }

    /// What it has carried, in the text form of Prometheus. Nothing while there is no relay.
    pub(super) fn metrics(&self) -> String {
        let Some(running) = &self.running else { return String::new() };
        let counters = running.lock().counters();
        let named = [
            ("forwarded_packets", counters.packets_forwarded),
            ("forwarded_bytes", counters.bytes_forwarded),
            ("dropped_packets", counters.packets_dropped),
            ("allocations", counters.allocations),
        ];
        let line = |(name, count)| {
            format!("# TYPE wattled_peer_relay_{name}_total counter\nwattled_peer_relay_{name}_total {count}\n",)
        };
        named.into_iter().map(line).collect()
    }

    /// Runs the netcheck and does what it says.
    fn check(&mut self, now: Instant, call: impl FnOnce(&mut Running, &mut wattle_netcheck::Out)) -> Vec<String> {
        let Some(running) = &mut self.running else { return Vec::new() };
        let mut out = wattle_netcheck::Out::default();
        call(running, &mut out);
        for transmit in out.transmits {
            _ = running.sender.send(transmit.to, &transmit.packet);
        }
        let mut lookups = Vec::new();
        for event in out.events {
            match event {
                Event::Resolve { host } => lookups.push(host),
                Event::EndpointsRefreshed { .. } => running.checked_at = Some(now),
                // Where we are at home and how far relays are is the node's own netcheck to find out.
                _ => {}
            }
        }
        let found = running.netcheck.endpoints().iter().map(|endpoint| endpoint.address);
        let mut addresses: Vec<SocketAddr> = self.wish.endpoints.iter().copied().chain(found).collect();
        if running.checked_at.is_none() {
            addresses.extend(running.local(&self.network));
        }
        running.lock().set_addresses(&addresses);
        lookups
    }
}

impl Running {
    fn start(port: u16, inputs: mpsc::Sender<Input>, now: Instant) -> anyhow::Result<Self> {
        let sockets = UdpSockets::bind(&Bind { port, mark: Some(BYPASS_MARK) })?;
        if port != 0 && sockets.port() != port {
            anyhow::bail!("another program has that port");
        }
        let relay = Arc::new(Mutex::new(PeerRelay::new(wattle_clock::seed()?, now)));
        let netcheck = Netcheck::new(NodePublic::from_bytes([0; 32]), wattle_clock::seed()?, now);
        let (receiver, sender) = (sockets.receiver(), sockets.sender());
        let forwarding = forwarding::Forwarding { relay: relay.clone(), sender: sender.clone(), inputs };
        let thread = Builder::new().name("peer-relay".to_owned()).spawn(move || forwarding.run(receiver))?;
        tracing::info!(port = sockets.port(), "relaying for peers");
        Ok(Self { relay, sockets, sender, netcheck, checked_at: None, thread })
    }

    fn lock(&self) -> MutexGuard<'_, PeerRelay> {
        self.relay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Addresses of the host, for those who ask before the first netcheck has ended.
    fn local(&self, network: &LocalNetwork) -> Vec<SocketAddr> {
        let (v4, v6) = (self.sockets.port(), self.sockets.port_v6());
        let usable = network.addresses.iter().filter(|address| !address.is_loopback());
        usable.filter_map(|address| Some(SocketAddr::new(*address, if address.is_ipv4() { v4 } else { v6? }))).collect()
    }
}
