//! Links to relay regions: one task each, opened and closed as the node says.

mod pulse;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wattle_keys::{NodePrivate, NodePublic};
use wattle_link::{Dialer, RelayConnection, RelayEvent, RelayOptions};
use wattle_netmap::{DerpNode, DerpRegion, RegionId};

use self::pulse::{Beat, Pulse};
use super::addresses::is_ours;
use super::input::{Generation, Input, RelayNews};
use super::limits::RELAY_QUEUE_MAX;

/// The links by region.
pub(super) struct RelayLinks {
    dialer: Dialer,
    inputs: mpsc::Sender<Input>,
    links: BTreeMap<RegionId, Link>,
    opened: u64,
}

struct Link {
    generation: Generation,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

/// What a link is told.
enum Order {
    Send(NodePublic, Vec<u8>),
    Prefer(bool),
    Check,
}

/// How a link ended.
enum End {
    Lost(String),
    Restarting(Duration, Duration),
}

impl<E: std::error::Error> From<E> for End {
    fn from(error: E) -> Self {
        Self::Lost(error.to_string())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RelayLinks {
    pub(super) fn new(dialer: Dialer, inputs: mpsc::Sender<Input>) -> Self {
        Self { dialer, inputs, links: BTreeMap::new(), opened: 0 }
    }

    /// Opens a link, in place of one that may be there.
    pub(super) fn open(&mut self, region: &DerpRegion, key: NodePrivate) {
        self.opened += 1;
        let (generation, id) = (Generation(self.opened), region.id);
        let (orders, receiver) = mpsc::channel(RELAY_QUEUE_MAX);
        let (dialer, nodes, inputs) = (self.dialer.clone(), region.nodes.clone(), self.inputs.clone());
        let task = tokio::spawn(async move {
            let news = |news| Input::Relay(generation, id, news);
            let ended = match run(&dialer, &nodes, &key, receiver, &inputs, news).await {
                Ok(()) => RelayNews::Lost("closed".to_owned()),
                Err(End::Lost(sentence)) => RelayNews::Lost(sentence),
                Err(End::Restarting(reconnect_in, try_for)) => RelayNews::Restarting(reconnect_in, try_for),
            };
            _ = inputs.send(news(ended)).await;
        });
        self.links.insert(id, Link { generation, orders, task });
    }

    /// Closes a link.
    pub(super) fn close(&mut self, region: RegionId) {
        self.links.remove(&region);
    }

    /// Whether news are of the present link of a region.
    pub(super) fn is_current(&self, region: RegionId, generation: Generation) -> bool {
        self.links.get(&region).is_some_and(|link| link.generation == generation)
    }

    /// Sends a packet. A link that is behind drops it, as any network may.
    pub(super) fn send(&self, region: RegionId, peer: NodePublic, packet: Vec<u8>) {
        if let Some(link) = self.links.get(&region) {
            _ = link.orders.try_send(Order::Send(peer, packet));
        }
    }

    /// Finds out whether a link survived a change of the network; [`RelayNews::Lost`] follows if not.
    pub(super) fn check(&self, region: RegionId) {
        if let Some(link) = self.links.get(&region) {
            // A link with a full queue is busy, and finds out by itself.
            _ = link.orders.try_send(Order::Check);
        }
    }

    /// Tells a relay whether it is our home.
    pub(super) fn prefer(&self, region: RegionId, preferred: bool) {
        if let Some(link) = self.links.get(&region) {
            _ = link.orders.try_send(Order::Prefer(preferred));
        }
    }
}

async fn run(
    dialer: &Dialer,
    nodes: &[DerpNode],
    key: &NodePrivate,
    mut orders: mpsc::Receiver<Order>,
    inputs: &mpsc::Sender<Input>,
    news: impl Fn(RelayNews) -> Input,
) -> Result<(), End> {
    let RelayConnection { mut reader, mut writer, local, .. } = dial(dialer, nodes, key).await.map_err(End::Lost)?;
    let tell = async |event| inputs.send(news(event)).await.map_err(|_| End::Lost("the daemon ends".to_owned()));
    tell(RelayNews::Opened).await?;
    let mut packet = Vec::new();
    let mut pulse = Pulse::new(wattle_clock::now());
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(mut order) = order else { return Ok(()) };
                // Everything that waits leaves in one write.
                loop {
                    match order {
                        Order::Send(peer, packet) => {
                            _ = writer.send(&peer, &packet);
                            pulse.note_sent(wattle_clock::now());
                        }
                        Order::Prefer(preferred) => writer.note_preferred(preferred),
                        Order::Check if !is_ours(local) => {
                            return Err(End::Lost(format!("the address {local} that it went out from is gone")));
                        }
                        Order::Check => pulse.check(wattle_clock::now()),
                    }
                    match orders.try_recv() {
                        Ok(next) => order = next,
                        Err(_) => break,
                    }
                }
                if let Beat::Ask(token) = pulse.beat(wattle_clock::now()) {
                    writer.ping(token);
                }
                writer.flush().await?;
            }
            () = tokio::time::sleep(wattle_clock::until(pulse.next())) => match pulse.beat(wattle_clock::now()) {
                Beat::Ask(token) => {
                    writer.ping(token);
                    writer.flush().await?;
                }
                Beat::Dead => return Err(End::Lost("the relay does not answer".to_owned())),
                Beat::Rest => {}
            },
            event = reader.next(&mut packet) => {
                let event = event?;
                pulse.note_heard(wattle_clock::now());
                match event {
                    RelayEvent::Packet { from } => tell(RelayNews::Packet(from, std::mem::take(&mut packet))).await?,
                    RelayEvent::PeerGone { peer, .. } => tell(RelayNews::PeerGone(peer)).await?,
                    RelayEvent::Ping(token) => {
                        writer.pong(token);
                        writer.flush().await?;
                        tell(RelayNews::Alive).await?;
                    }
                    RelayEvent::Pong(token) => {
                        pulse.note_pong(token);
                        tell(RelayNews::Alive).await?;
                    }
                    RelayEvent::KeepAlive => tell(RelayNews::Alive).await?,
                    RelayEvent::Health(Some(problem)) => tracing::warn!(problem, "a relay complains"),
                    RelayEvent::Health(None) => {}
                    RelayEvent::Restarting { reconnect_in, try_for } => {
                        return Err(End::Restarting(reconnect_in, try_for));
                    }
                }
            }
        }
    }
}

/// The first relay of the region that lets us in.
async fn dial(dialer: &Dialer, nodes: &[DerpNode], key: &NodePrivate) -> Result<RelayConnection, String> {
    let mut first = None;
    for node in nodes.iter().filter(|node| !node.stun_only) {
        match RelayConnection::dial(dialer, node, key, &RelayOptions::default()).await {
            Ok(connection) => return Ok(connection),
            Err(error) => _ = first.get_or_insert_with(|| error.to_string()),
        }
    }
    Err(first.unwrap_or_else(|| "the region has no relay".to_owned()))
}
