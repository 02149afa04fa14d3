//! Opens everything that the daemon needs, in the order in which it can fail, and runs it.

use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use wattle_host::{BYPASS_MARK, Host, TunId};
use wattle_link::{ClientTls, Dialer};
use wattle_local_api::Server;
use wattle_node::Node;
use wattle_session::{Config, Session};
use wattle_tun::{MTU, Tun};
use wattle_udp::{Bind, UdpSockets};
use wattle_wire::version;

use super::Options;
use super::captive::CaptiveWatch;
use super::changes::Changes;
use super::chores::Chores;
use super::control_link::ControlLink;
use super::data_threads::DataThreads;
use super::event_loop::{EventLoop, People, Sources, for_node, now};
use super::health::Health;
use super::host_report::host_report;
use super::host_worker::HostWorker;
use super::limits::{CALLS_WAITING_MAX, HANDOFFS_WAITING_MAX, INPUTS_WAITING_MAX};
use super::local;
use super::peer_relay::RelaySeat;
use super::port_mapping::PortMapping;
use super::relay_links::RelayLinks;
use super::saved::Saved;
use super::sleep_watch::SleepWatch;
use super::unsent::Unsent;
use super::watchers::Watchers;

/// Runs the daemon.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    // A second daemon must fail before it touches what the first one uses.
    let server = Server::bind(&options.socket)?;
    let saved = Saved::open(&options.state_dir, || Ok(wattle_clock::seed()?))?;
    let tun = Arc::new(Tun::create(&options.tun, MTU)?);
    let tun_id = TunId { name: tun.name().to_owned(), index: tun.index() };
    let (host, host_events) = Host::open(tun_id).await?;
    let network = host.network().await?;
    let udp = UdpSockets::bind(&Bind { port: options.port, mark: Some(BYPASS_MARK) })?;
    let dialer = Dialer::new(ClientTls::new()?, Some(BYPASS_MARK));

    let session = Session::new(
        Config {
            version: version::OURS,
            node_key: saved.node_key.clone(),
            host: host_report(&saved.prefs, &saved.log_id),
            ephemeral: false,
        },
        wattle_clock::seed()?,
    );
    let node = Node::new(session, saved.node_key.clone(), for_node(&saved.prefs), wattle_clock::seed()?, now());
    let tables = Arc::new(ArcSwap::new(node.tables()));

    let (handoff_sender, handoffs) = mpsc::channel(HANDOFFS_WAITING_MAX);
    let (input_sender, inputs) = mpsc::channel(INPUTS_WAITING_MAX);
    let (call_sender, calls) = mpsc::channel(CALLS_WAITING_MAX);
    let (port_mapping, port_status) = PortMapping::start()?;
    let unsent = Unsent::new(input_sender.clone());
    let data_threads = DataThreads::start(tables.clone(), tun.clone(), &udp, handoff_sender, unsent.clone())
        .context("the threads that carry packets cannot be started")?;
    let mut event_loop = EventLoop {
        node,
        relay_inbound: data_threads.relay_inbound(),
        tables,
        tun,
        sender: udp.sender(),
        udp,
        data_threads,
        control: ControlLink::new(dialer.clone(), saved.machine_key.clone(), input_sender.clone()),
        relays: RelayLinks::new(dialer.clone(), input_sender.clone()),
        chores: Chores::new(dialer, input_sender.clone()),
        peer_relay: RelaySeat::new(input_sender.clone()),
        host: HostWorker::start(host, input_sender),
        watchers: Watchers::default(),
        people: People::default(),
        health: Health::new(options.port),
        saved,
        changes: Changes::new(network, wattle_clock::now()),
        sleep: SleepWatch::new(),
        port_mapping,
        captive: CaptiveWatch::default(),
        unsent,
        shutting_down: false,
    };
    event_loop.begin();

    let (stop_serving, stopped) = oneshot::channel::<()>();
    let answer = move |request, caller| local::answer(request, caller, call_sender.clone());
    let serving = tokio::spawn(server.serve(answer, async move { _ = stopped.await }));
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let ended = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tracing::info!(socket = %options.socket.display(), "ready");
    event_loop.run(Sources { handoffs, inputs, host_events, port_status, calls }, ended).await;
    _ = stop_serving.send(());
    event_loop.end().await;
    _ = serving.await;
    Ok(())
}
