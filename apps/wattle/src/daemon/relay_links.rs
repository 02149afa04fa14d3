//! Links to relay regions: one task each, opened and closed as the node says.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wattle_keys::{NodePrivate, NodePublic};
use wattle_link::{Dialer, RelayConnection, RelayEvent, RelayOptions};
use wattle_netmap::{DerpNode, DerpRegion, RegionId};

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
            let ended = run(&dialer, &nodes, &key, receiver, &inputs, news).await;
            let sentence = ended.err().unwrap_or_else(|| "closed".to_owned());
            _ = inputs.send(news(RelayNews::Lost(sentence))).await;
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
) -> Result<(), String> {
    let RelayConnection { mut reader, mut writer, .. } = dial(dialer, nodes, key).await?;
    let tell = async |event| inputs.send(news(event)).await.map_err(|_| "the daemon ends".to_owned());
    tell(RelayNews::Opened).await?;
    let mut packet = Vec::new();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(mut order) = order else { return Ok(()) };
                // Everything that waits leaves in one write.
                loop {
                    match order {
                        Order::Send(peer, packet) => _ = writer.send(&peer, &packet),
                        Order::Prefer(preferred) => writer.note_preferred(preferred),
                    }
                    match orders.try_recv() {
                        Ok(next) => order = next,
                        Err(_) => break,
                    }
                }
                writer.flush().await.map_err(|error| error.to_string())?;
            }
            event = reader.next(&mut packet) => match event.map_err(|error| error.to_string())? {
                RelayEvent::Packet { from } => tell(RelayNews::Packet(from, std::mem::take(&mut packet))).await?,
                RelayEvent::PeerGone { peer, .. } => tell(RelayNews::PeerGone(peer)).await?,
                RelayEvent::Ping(token) => {
                    writer.pong(token);
                    writer.flush().await.map_err(|error| error.to_string())?;
                    tell(RelayNews::Alive).await?;
                }
                RelayEvent::Pong(_) | RelayEvent::KeepAlive => tell(RelayNews::Alive).await?,
                RelayEvent::Health(Some(problem)) => tracing::warn!(problem, "a relay complains"),
                RelayEvent::Health(None) => {}
                RelayEvent::Restarting { .. } => return Err("the relay restarts".to_owned()),
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
