//! The one owner of the node: takes what happened, calls the node, and carries out what it says.

mod carry_out;
mod peer_relay;
mod preferences;
mod questions;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use wattle_host::HostEvent;
use wattle_link::DialError;
use wattle_local_api::Response;
use wattle_netcheck::LocalNetwork;
use wattle_node::{Handoff, Node, Now, Out, PingToken, Tables};
use wattle_session::Standing;
use wattle_time::earliest;
use wattle_tun::Tun;
use wattle_udp::{UdpSender, UdpSockets};
use wattle_wire::local::{Notify, State};

use super::captive::{CaptiveWatch, witnesses};
use super::changes::{Change, Changes};
use super::chores::Chores;
use super::control_link::ControlLink;
use super::data_threads::{DataThreads, RelayInbound};
use super::health::{Health, Sight};
use super::host_worker::HostWorker;
use super::input::{ControlNews, Input, RelayNews};
use super::limits::{DIALS_UNTIL_TOLD, INPUTS_AT_ONCE_MAX, SHUTDOWN_WAIT, TICK_MIN};
use super::local::Call;
use super::peer_relay::RelaySeat;
use super::port_mapping::{PortMapping, gateway};
use super::relay_links::RelayLinks;
use super::saved::Saved;
use super::sleep_watch::SleepWatch;
use super::unsent::Unsent;
use super::watchers::Watchers;

pub(super) use preferences::for_node;

/// Everything that the loop owns.
pub(super) struct EventLoop {
    pub(super) node: Node,
    pub(super) saved: Saved,
    pub(super) tables: Arc<ArcSwap<Tables>>,
    pub(super) tun: Arc<Tun>,
    pub(super) udp: UdpSockets,
    pub(super) sender: UdpSender,
    pub(super) data_threads: DataThreads,
    pub(super) relay_inbound: RelayInbound,
    pub(super) control: ControlLink,
    pub(super) relays: RelayLinks,
    pub(super) chores: Chores,
    pub(super) peer_relay: RelaySeat,
    pub(super) host: HostWorker,
    pub(super) watchers: Watchers,
    pub(super) people: People,
    pub(super) health: Health,
    pub(super) changes: Changes,
    pub(super) sleep: SleepWatch,
    pub(super) port_mapping: PortMapping,
    pub(super) captive: CaptiveWatch,
    pub(super) unsent: Unsent,
    pub(super) shutting_down: bool,
}

/// What people wait for, and what they were told.
#[derive(Default)]
pub(super) struct People {
    /// The state that watchers know.
    pub(super) state: State,
    /// The page that somebody must open.
    pub(super) browse_to: Option<String>,
    /// Why there is no connection to the coordination server.
    pub(super) control_problem: Option<String>,
    /// Dials that failed in a row.
    pub(super) dials_failed: u32,
    /// Addresses and routes stand: only then is it true that we run.
    pub(super) host_stands: bool,
    /// Why the host is not set up.
    pub(super) host_problem: Option<String>,
    /// How wrong our clock is.
    pub(super) clock_problem: Option<String>,
    /// A sign-in is going on, whose end watchers are told.
    pub(super) signing_in: bool,
    /// A key to sign in with, should the server not know us any more.
    pub(super) spare_auth_key: Option<String>,
    /// The server refused us, and nothing has been tried since.
    pub(super) turned_away: bool,
    /// Pings under way.
    pub(super) pings: BTreeMap<PingToken, (IpAddr, oneshot::Sender<Response>)>,
    /// Those who wait for a new measurement.
    pub(super) netchecks: Vec<oneshot::Sender<Response>>,
}

/// Where things come from.
pub(super) struct Sources {
    pub(super) handoffs: mpsc::Receiver<Handoff>,
    pub(super) inputs: mpsc::Receiver<Input>,
    pub(super) host_events: mpsc::Receiver<HostEvent>,
    pub(super) port_status: mpsc::Receiver<wattle_portmap::Status>,
    pub(super) calls: mpsc::Receiver<Call>,
}

pub(super) fn now() -> Now {
    Now { mono: wattle_clock::now(), wall: wattle_clock::unix_now() }
}

impl EventLoop {
    /// Begins: with a key, and when people want it, back to our place in the network.
    pub(super) fn begin(&mut self) {
        let mut out = Out::default();
        self.health.note_network(self.changes.network().addresses().next().is_some());
        self.node.set_network(self.local_network(), now(), &mut out);
        self.look_up(|relay, now, network| relay.set_network(network, now), self.local_network());
        if self.saved.prefs.want_running && self.saved.node_key.is_some() {
            self.node.start(now(), &mut out);
        }
        self.refresh_peer_relay();
        self.carry_out(out);
    }

    /// Runs until `ended` is ready or somebody asks for the end.
    pub(super) async fn run(&mut self, mut sources: Sources, ended: impl Future<Output = ()>) {
        let mut ended = std::pin::pin!(ended);
        while !self.shutting_down {
            let due = earliest([self.node.next_timeout(), self.peer_relay.next_timeout()]);
            let due = [due.map(|deadline| deadline.latest), self.changes.next()].into_iter().flatten().min();
            self.sleep.note_due(due);
            let wake = due.map(|due| wattle_clock::until(due).max(TICK_MIN));
            let mut out = Out::default();
            tokio::select! {
                () = &mut ended => break,
                Some(handoff) = sources.handoffs.recv() => {
                    self.node.handle_handoff(handoff, now(), &mut out);
                    for _ in 1..INPUTS_AT_ONCE_MAX {
                        let Ok(handoff) = sources.handoffs.try_recv() else { break };
                        self.node.handle_handoff(handoff, now(), &mut out);
                    }
                }
                Some(input) = sources.inputs.recv() => self.handle_input(input, &mut out),
                Some(event) = sources.host_events.recv() => self.handle_host_event(event),
                Some(status) = sources.port_status.recv() => self.note_port_mapping(status, &mut out),
                Some(call) = sources.calls.recv() => self.answer(call, &mut out),
                () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => {
                    self.node.handle_timeout(now(), &mut out);
                    self.look_up(|relay, now, ()| relay.handle_timeout(now), ());
                }
                () = self.sleep.stirred() => {}
                else => break,
            }
            self.follow_changes(&mut out);
            self.carry_out(out);
        }
    }

    /// Ends: the host gets its routes back, the threads stop.
    pub(super) async fn end(mut self) {
        let mut out = Out::default();
        self.node.stop(now(), &mut out);
        self.carry_out(out);
        if tokio::time::timeout(SHUTDOWN_WAIT, self.host.finish()).await.is_err() {
            tracing::warn!("the host takes too long to take our routes away");
        }
        self.port_mapping.release().await;
        self.tun.stop();
        self.udp.stop();
        self.peer_relay.stop();
        self.data_threads.join();
    }

    fn handle_input(&mut self, input: Input, out: &mut Out) {
        match input {
            Input::Control(generation, news) if self.control.is_current(generation) => self.handle_control(news, out),
            Input::Relay(generation, region, news) if self.relays.is_current(region, generation) => {
                self.node.note_relay_frame(region, now());
                match news {
                    RelayNews::Opened => self.node.handle_relay_open(region, now(), out),
                    RelayNews::Lost(sentence) => {
                        tracing::info!(region = region.0, sentence, "no link to the relay");
                        self.relays.close(region);
                        self.node.handle_relay_lost(region, now(), out);
                    }
                    RelayNews::Restarting(reconnect_in, try_for) => {
                        tracing::info!(region = region.0, "the relay restarts");
                        self.relays.close(region);
                        self.node.handle_relay_restart(region, reconnect_in, try_for, now(), out);
                    }
                    RelayNews::Packet(from, mut message) => {
                        if !self.relay_inbound.handle(region, from, &mut message) {
                            self.node.handle_relay_frame(region, from, &message, now(), out);
                        }
                    }
                    RelayNews::PeerGone(peer) => self.node.handle_peer_gone(region, &peer, now(), out),
                    RelayNews::Alive => {}
                }
            }
            Input::Control(..) | Input::Relay(..) => {}
            Input::Resolved(host, addresses) => {
                self.node.handle_resolved(&host, &addresses, now(), out);
                self.look_up(|relay, now, host| relay.handle_resolved(&host, &addresses, now), host);
            }
            Input::RelayStun(from, packet) => {
                self.look_up(|relay, now, from| relay.handle_stun(from, &packet, now), from)
            }
            Input::HttpsTimed(region, latency) => self.node.handle_https(region, latency, now(), out),
            Input::CaptivePortal(found) => self.node.set_captive_portal(found),
            Input::DnsAnswered(id, message) => self.node.handle_dns_answer(id, &message, out),
            Input::Unsent { is_ipv4, sent } => self.changes.note_unsent(is_ipv4, sent),
            Input::HostApplied { stands, problem } => {
                self.people.host_stands = stands;
                if let Some(problem) = &problem {
                    tracing::warn!(problem, "the host is not set up");
                }
                self.people.host_problem = problem;
            }
        }
    }

    fn handle_control(&mut self, news: ControlNews, out: &mut Out) {
        match news {
            ControlNews::Connected(client) => {
                self.control.adopt(client);
                self.people.control_problem = None;
                self.people.dials_failed = 0;
                self.node.handle_connected(now(), out);
            }
            ControlNews::DialFailed(error) => {
                self.note_failed_dial(&error);
                self.control.disconnect();
                self.node.handle_disconnected(now(), out);
            }
            ControlNews::Lost => {
                tracing::info!("the connection to the coordination server is lost");
                self.control.disconnect();
                self.node.handle_disconnected(now(), out);
            }
            ControlNews::Answered(id, response) => self.node.handle_response(id, &response, now(), out),
            ControlNews::Failed(id, sentence) => {
                tracing::debug!(sentence, "no answer from the coordination server");
                self.node.handle_failure(id, now(), out);
            }
            ControlNews::Frame(id, frame) => self.node.handle_frame(id, &frame, now(), out),
            ControlNews::StreamEnded(id) => self.node.handle_stream_end(id, now(), out),
        }
    }

    /// A server that says no, or is none, is worth telling at once; one that does not answer may be on its way up.
    fn note_failed_dial(&mut self, error: &DialError) {
        let sentence = error.to_string();
        tracing::info!(sentence, "no connection to the coordination server");
        self.people.dials_failed += 1;
        let may_pass = matches!(error, DialError::Unreachable { .. } | DialError::UnknownName { .. });
        if !may_pass || self.people.dials_failed == DIALS_UNTIL_TOLD {
            self.tell(Notify { err_message: Some(sentence.clone()), ..Notify::default() });
        }
        self.people.control_problem = Some(sentence);
        self.look_for_captive_portal();
    }

    /// Something does not get through: perhaps because somebody has to sign in to this network first.
    pub(super) fn look_for_captive_portal(&mut self) {
        if self.changes.network().is_online() && self.captive.is_due(wattle_clock::now()) {
            let witnesses = witnesses(&self.saved.prefs.control_url, &self.node.map().derp);
            self.chores.look_for_captive_portal(witnesses);
        }
    }

    fn handle_host_event(&mut self, event: HostEvent) {
        match event {
            HostEvent::NetworkChanged { network, is_break } => {
                tracing::debug!(?network, is_break, "the network changed");
                self.health.note_network(network.addresses().next().is_some());
                self.changes.note_network(network, is_break);
            }
            HostEvent::Restored { changes } => {
                tracing::warn!(changes, "somebody took addresses, routes or rules of ours away; they are back")
            }
        }
    }

    /// Acts on changes of the network, and on sleep, when it is time to.
    fn follow_changes(&mut self, out: &mut Out) {
        if self.sleep.woke(wattle_clock::now()) {
            tracing::info!("the machine woke");
            // What ended meanwhile must not be used: sessions first of all.
            self.node.handle_timeout(now(), out);
            self.changes.note_woke();
        }
        self.want_port();
        let Some(change) = self.changes.take(wattle_clock::now()) else { return };
        tracing::info!(?change, interface = self.interface_name(), "the network is looked at anew");
        if matches!(change, Change::Break | Change::Rebind)
            && let Err(error) = self.udp.rebind()
        {
            tracing::warn!(%error, "the old sockets stay");
        }
        match change {
            Change::Break => {
                self.port_mapping.look_again();
                self.node.handle_network_change(self.local_network(), now(), out);
            }
            Change::Growth | Change::Rebind => self.node.set_network(self.local_network(), now(), out),
        }
        self.look_up(|relay, now, network| relay.set_network(network, now), self.local_network());
    }

    /// While we are a member and people want us up, the router shall let peers in.
    fn want_port(&mut self) {
        let is_up = self.saved.prefs.want_running && *self.node.standing() == Standing::Member;
        let gateway = is_up.then(|| gateway(self.changes.network(), self.udp.port())).flatten();
        self.port_mapping.want(gateway);
    }

    fn note_port_mapping(&mut self, status: wattle_portmap::Status, out: &mut Out) {
        let external = status.mapping.map(|mapping| SocketAddr::V4(mapping.external));
        let seen = status.seen;
        let protocols = wattle_netcheck::PortMapping { upnp: seen.upnp, pmp: seen.pmp, pcp: seen.pcp };
        self.node.set_port_mapping(external, protocols, now(), out);
    }

    fn interface_name(&self) -> &str {
        self.changes.network().default_interface().map_or("none", |interface| interface.name.as_str())
    }

    fn local_network(&self) -> LocalNetwork {
        let addresses = self.changes.network().addresses().collect();
        LocalNetwork { addresses, port_v4: self.udp.port(), port_v6: self.udp.port_v6() }
    }

    /// What tells whether we are well.
    pub(super) fn sight(&self) -> Sight<'_> {
        let own = self.node.self_status();
        let home = own.home.and_then(|home| self.node.map().derp.regions.get(&home));
        Sight {
            wanted: self.is_wanted(),
            home: home.map(|home| home.code.as_str()),
            report: self.node.report(),
            port: self.udp.port(),
        }
    }

    /// Whether we should be connected.
    fn is_wanted(&self) -> bool {
        matches!(self.people.state, State::Starting | State::Running)
    }

    /// The state, as people are told it.
    fn state(&self) -> State {
        let prefs = &self.saved.prefs;
        match self.node.standing() {
            Standing::WaitingForBrowser { .. } | Standing::Expired => State::NeedsLogin,
            Standing::WaitingForApproval => State::NeedsMachineAuth,
            Standing::SignedOut if !self.node.has_key() || self.people.turned_away => State::NeedsLogin,
            Standing::SignedOut | Standing::Member if !prefs.want_running => State::Stopped,
            Standing::Member if self.people.host_stands && self.node.map().self_node.is_some() => State::Running,
            Standing::SignedOut | Standing::Member => State::Starting,
        }
    }

    /// Tells watchers of a new state.
    fn note_state(&mut self) {
        let state = self.state();
        if self.people.state == state {
            return;
        }
        self.people.state = state;
        tracing::info!(state = state.as_str(), "state");
        if matches!(state, State::Starting | State::Running) && std::mem::take(&mut self.people.signing_in) {
            self.people.browse_to = None;
            self.people.spare_auth_key = None;
            self.tell(Notify { login_finished: Some(Default::default()), ..Notify::default() });
        }
        self.tell(Notify { state: Some(state), ..Notify::default() });
    }

    fn tell(&mut self, event: Notify) {
        self.watchers.tell(&Notify { version: env!("CARGO_PKG_VERSION").to_owned(), ..event });
    }
}
