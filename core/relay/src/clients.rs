//! Who is connected: connections in slots, and per key its connections, of which the last that sent is active.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;

use wattle_keys::NodePublic;
use wattle_time::Instant;

use crate::CutReason;
use crate::bucket::TokenBucket;
use crate::limits::{CONTROL_QUEUE_FRAMES, DATA_QUEUE_FRAMES, DISCO_QUEUE_FRAMES};
use crate::queue::FrameQueue;

/// Names one connection, and no later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    slot: u32,
    serial: u32,
}

impl ClientId {
    /// A small number, unique among the connections that are open at one time: drivers index tables with it.
    pub const fn slot(self) -> usize {
        self.slot as usize
    }
}

/// How far a connection has come.
pub(crate) enum Standing {
    /// We sent our key and wait for the login.
    Greeted,
    /// The login opened; the driver asks whether this key may use us.
    Asking(NodePublic),
    /// Logged in.
    Joined(NodePublic),
}

/// One connection.
pub(crate) struct Client {
    pub(crate) source: SocketAddr,
    pub(crate) standing: Standing,
    pub(crate) control: FrameQueue,
    pub(crate) disco: FrameQueue,
    pub(crate) data: FrameQueue,
    /// Connections that received packets from this one, and are told when it leaves.
    pub(crate) heard_by: BTreeSet<ClientId>,
    /// The last receiver, to look at `heard_by` once a conversation and not once a packet.
    pub(crate) last_receiver: Option<ClientId>,
    pub(crate) home: bool,
    /// Whether other connections have the same key.
    pub(crate) duplicated: bool,
    pub(crate) rate: Option<TokenBucket>,
    pub(crate) not_here: TokenBucket,
    /// When this connection's timer (login, then keepalive) fires.
    pub(crate) timer: Instant,
    pub(crate) cut: Option<CutReason>,
}

impl Client {
    pub(crate) fn new(source: SocketAddr, not_here: TokenBucket, timer: Instant) -> Self {
        Self {
            source,
            standing: Standing::Greeted,
            control: FrameQueue::new(CONTROL_QUEUE_FRAMES),
            disco: FrameQueue::new(DISCO_QUEUE_FRAMES),
            data: FrameQueue::new(DATA_QUEUE_FRAMES),
            heard_by: BTreeSet::new(),
            last_receiver: None,
            home: false,
            duplicated: false,
            rate: None,
            not_here,
            timer,
            cut: None,
        }
    }

    /// Whether nothing waits: then its writer sleeps and has to be woken for the next frame.
    pub(crate) fn is_drained(&self) -> bool {
        self.control.is_empty() && self.disco.is_empty() && self.data.is_empty()
    }

    pub(crate) fn joined_key(&self) -> Option<NodePublic> {
        match self.standing {
            Standing::Joined(key) => Some(key),
            Standing::Greeted | Standing::Asking(_) => None,
        }
    }
}

/// Node keys are points on a curve and already spread; a client must hold the private half, so that choosing keys
/// that collide costs more than it could harm.
#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks_exact(8) {
            let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
            self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Slot {
    serial: u32,
    client: Option<Box<Client>>,
}

/// All connections.
#[derive(Default)]
pub(crate) struct Clients {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The connections of a key; the last one is active. Only looked up, never iterated.
    by_key: HashMap<NodePublic, Vec<ClientId>, BuildHasherDefault<KeyHasher>>,
}

impl Clients {
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn insert(&mut self, client: Client) -> ClientId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { serial: 0, client: None });
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let place = &mut self.slots[slot as usize];
        place.client = Some(Box::new(client));
        ClientId { slot, serial: place.serial }
    }

    pub(crate) fn find(&self, id: ClientId) -> Option<&Client> {
        let slot = self.slots.get(id.slot())?;
        if slot.serial == id.serial { slot.client.as_deref() } else { None }
    }

    pub(crate) fn find_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        let slot = self.slots.get_mut(id.slot())?;
        if slot.serial == id.serial { slot.client.as_deref_mut() } else { None }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.client.is_some())
            .map(|(at, slot)| ClientId { slot: u32::try_from(at).unwrap_or(u32::MAX), serial: slot.serial })
    }

    /// The connection that packets for `key` go to.
    pub(crate) fn active(&self, key: &NodePublic) -> Option<ClientId> {
        self.by_key.get(key)?.last().copied()
    }

    /// All connections of `key`.
    pub(crate) fn of_key(&self, key: &NodePublic) -> &[ClientId] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// Makes `id` a connection, and the active one, of `key`.
    pub(crate) fn join(&mut self, id: ClientId, key: NodePublic) {
        self.by_key.entry(key).or_default().push(id);
        self.mark_duplicates(&key);
    }

    /// The last connection that sends is active: that is where the node is now.
    pub(crate) fn make_active(&mut self, id: ClientId, key: &NodePublic) {
        if let Some(all) = self.by_key.get_mut(key)
            && let Some(at) = all.iter().position(|other| *other == id)
        {
            all.remove(at);
            all.push(id);
        }
    }

    /// Takes a connection out. Its id names nothing from now on.
    pub(crate) fn remove(&mut self, id: ClientId) -> Option<Box<Client>> {
        self.find(id)?;
        let slot = self.slots.get_mut(id.slot())?;
        let client = slot.client.take()?;
        slot.serial = slot.serial.wrapping_add(1);
        self.free.push(id.slot);
        if let Some(key) = client.joined_key() {
            self.leave(id, &key);
        }
        Some(client)
    }

    /// Makes `id` no connection of `key` any more.
    pub(crate) fn leave(&mut self, id: ClientId, key: &NodePublic) {
        let Some(all) = self.by_key.get_mut(key) else { return };
        all.retain(|other| *other != id);
        if all.is_empty() {
            self.by_key.remove(key);
        } else {
            self.mark_duplicates(key);
        }
    }

    fn mark_duplicates(&mut self, key: &NodePublic) {
        let all = self.of_key(key).to_vec();
        for id in &all {
            if let Some(client) = self.find_mut(*id) {
                client.duplicated = all.len() > 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattle_keys::NodePrivate;

    fn client() -> Client {
        let now = Instant::ORIGIN;
        Client::new(([127, 0, 0, 1], 1).into(), TokenBucket::full(1, 1, now), now)
    }

    fn joined(clients: &mut Clients, key: NodePublic) -> ClientId {
        let mut client = client();
        client.standing = Standing::Joined(key);
        let id = clients.insert(client);
        clients.join(id, key);
        id
    }

    #[test]
    fn an_id_never_names_a_later_connection() {
        let mut clients = Clients::default();
        let first = clients.insert(client());
        assert!(clients.remove(first).is_some());
        let second = clients.insert(client());
        assert_eq!(first.slot(), second.slot());
        assert!(clients.find(first).is_none());
        assert!(clients.remove(first).is_none());
        assert_eq!(clients.len(), 1);
    }

    #[test]
    fn the_last_that_sends_is_active_and_its_leaving_gives_the_key_back() {
        let mut clients = Clients::default();
        let key = NodePrivate::from_bytes([1; 32]).public();
        let (a, b) = (joined(&mut clients, key), joined(&mut clients, key));
        assert_eq!(clients.active(&key), Some(b));
        clients.make_active(a, &key);
        assert_eq!(clients.active(&key), Some(a));
        clients.remove(a);
        assert_eq!(clients.active(&key), Some(b));
        assert!(!clients.find(b).unwrap().duplicated);
        clients.remove(b);
        assert_eq!(clients.active(&key), None);
    }
}
