//! Our disco identity: who may speak to us, the boxes shared with them, and the pen that writes to one of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_keys::{DiscoPrivate, DiscoPublic, DiscoShared, NONCE_LENGTH, NodePublic};
use wattle_wire::disco::{CallMeMaybe, Envelope, Message, Ping, Pong, TransactionId};
use wattle_wire::geneve::{Header, Payload};

use crate::limits::NODES_PER_DISCO_KEY_MAX;
use crate::{Out, ProofToken, Transmit, Way};

/// Opens what known keys sealed, and seals to them.
pub(crate) struct Disco {
    node: NodePublic,
    private: DiscoPrivate,
    public: DiscoPublic,
    rng: ChaCha20Rng,
    known: BTreeMap<DiscoPublic, Correspondent>,
}

/// The owner of a disco key: usually one node, several when one process runs several.
#[derive(Default)]
struct Correspondent {
    nodes: Vec<NodePublic>,
    /// Computed when first needed: most peers never talk to us.
    shared: Option<Box<DiscoShared>>,
}

impl Disco {
    pub(crate) fn new(node: NodePublic, private: DiscoPrivate, seed: [u8; 32]) -> Self {
        let public = private.public();
        Self { node, private, public, rng: ChaCha20Rng::from_seed(seed), known: BTreeMap::new() }
    }

    pub(crate) fn public(&self) -> DiscoPublic {
        self.public
    }

    /// Lets the node speak with this key. Beyond the limit of nodes the key stays with those it has.
    pub(crate) fn admit(&mut self, key: DiscoPublic, node: NodePublic) {
        let nodes = &mut self.known.entry(key).or_default().nodes;
        if !nodes.contains(&node) && nodes.len() < NODES_PER_DISCO_KEY_MAX {
            nodes.push(node);
        }
    }

    /// The node does not speak with this key any more.
    pub(crate) fn dismiss(&mut self, key: &DiscoPublic, node: &NodePublic) {
        if let Some(correspondent) = self.known.get_mut(key) {
            correspondent.nodes.retain(|known| known != node);
            if correspondent.nodes.is_empty() {
                self.known.remove(key);
            }
        }
    }

    /// The nodes that use this key.
    pub(crate) fn nodes(&self, key: &DiscoPublic) -> &[NodePublic] {
        self.known.get(key).map_or(&[], |correspondent| &correspondent.nodes)
    }

    /// Opens a packet of somebody known.
    pub(crate) fn open(&mut self, packet: &[u8]) -> Option<(DiscoPublic, Message)> {
        let envelope = Envelope::parse(packet)?;
        let correspondent = self.known.get_mut(&envelope.sender)?;
        let message = envelope.open(correspondent.shared(&self.private, &envelope.sender)).ok()?;
        Some((envelope.sender, message))
    }

    /// What we share with the key of a peer relay, which is no node's.
    pub(crate) fn shared_with(&self, server: &DiscoPublic) -> DiscoShared {
        self.private.shared(server)
    }

    /// Writes to a peer relay itself.
    pub(crate) fn write_to_server(
        &mut self,
        shared: &DiscoShared,
        header: Header,
        to: Way,
        message: &Message,
        out: &mut Out,
    ) {
        let mut packet = header.encode().to_vec();
        seal(message, &self.public, shared, &mut self.rng, &mut packet);
        out.transmits.push(Transmit { to, packet });
    }

    /// A number to tell one request from another. Never zero.
    pub(crate) fn fresh_number(&mut self) -> u32 {
        self.rng.next_u32().max(1)
    }

    /// To write to the owner of a key.
    pub(crate) fn pen<'a>(&'a mut self, to: &DiscoPublic, out: &'a mut Out) -> Option<Pen<'a>> {
        let correspondent = self.known.get_mut(to)?;
        let shared = correspondent.shared(&self.private, to);
        Some(Pen { node: self.node, ours: self.public, shared, rng: &mut self.rng, out })
    }
}

impl Correspondent {
    fn shared(&mut self, ours: &DiscoPrivate, theirs: &DiscoPublic) -> &DiscoShared {
        self.shared.get_or_insert_with(|| Box::new(ours.shared(theirs)))
    }
}

/// A ping without padding: magic, key, nonce, box; type, version, number, node key.
const PING_LENGTH: usize = 6 + 32 + NONCE_LENGTH + 16 + 2 + 12 + 32;

/// Writes disco messages to one peer.
pub(crate) struct Pen<'a> {
    node: NodePublic,
    ours: DiscoPublic,
    shared: &'a DiscoShared,
    rng: &'a mut ChaCha20Rng,
    pub(crate) out: &'a mut Out,
}

impl Pen<'_> {
    /// Sends a ping; its pong will carry the returned number.
    pub(crate) fn ping(&mut self, to: Way) -> TransactionId {
        self.padded_ping(to, 0)
    }

    /// Sends a ping that makes a UDP payload of `length` bytes, if that is more than it needs.
    pub(crate) fn padded_ping(&mut self, to: Way, length: u16) -> TransactionId {
        let mut transaction = TransactionId([0; 12]);
        self.rng.fill_bytes(&mut transaction.0);
        let padding = usize::from(length).saturating_sub(PING_LENGTH);
        self.write(to, &Message::Ping(Ping { transaction, node: Some(self.node), padding }));
        transaction
    }

    /// A number for a sealed ping.
    pub(crate) fn proof_token(&mut self) -> ProofToken {
        let mut token = ProofToken([0; 8]);
        self.rng.fill_bytes(&mut token.0);
        token
    }

    /// Answers a ping that came from `to`.
    pub(crate) fn pong(&mut self, to: Way, transaction: TransactionId) {
        // A ping through a relay has no address; the official client writes its relay's pseudo-address there.
        let seen_from = match to {
            Way::Udp(address) => address,
            Way::PeerRelay { server, .. } => server,
            Way::Relay { region, .. } => SocketAddr::from(([127, 3, 3, 40], region.0)),
        };
        self.write(to, &Message::Pong(Pong { transaction, seen_from }));
    }

    /// Tells the peer where to ping us.
    pub(crate) fn call_me_maybe(&mut self, to: Way, endpoints: &[SocketAddr]) {
        self.write(to, &Message::CallMeMaybe(CallMeMaybe { endpoints: endpoints.to_vec() }));
    }

    pub(crate) fn write(&mut self, to: Way, message: &Message) {
        let mut packet = Vec::new();
        if let Way::PeerRelay { vni, .. } = to {
            packet.extend_from_slice(&Header { payload: Payload::Disco, vni }.encode());
        }
        seal(message, &self.ours, self.shared, self.rng, &mut packet);
        self.out.transmits.push(Transmit { to, packet });
    }
}

fn seal(message: &Message, ours: &DiscoPublic, shared: &DiscoShared, rng: &mut ChaCha20Rng, packet: &mut Vec<u8>) {
    let mut nonce = [0; NONCE_LENGTH];
    rng.fill_bytes(&mut nonce);
    message.seal(ours, shared, &nonce, packet);
}
