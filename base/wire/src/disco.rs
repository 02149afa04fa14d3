//! disco: how two nodes find and keep a direct path. A packet is a sealed box with one message in it.
//!
//! What it is not: the decision which path is good (`wattle-path`). Source: tailscale `disco/disco.go`.

mod peer_relay;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use wattle_keys::{DiscoPublic, DiscoShared, NONCE_LENGTH, NodePublic, OpenError};

pub use self::peer_relay::{AllocateRequest, AllocateResponse, Allocation, CHALLENGE_LENGTH, Handshake, in_order};

/// `TS` and a speech balloon, in UTF-8: how every disco packet begins.
pub const MAGIC: [u8; 6] = [0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac];

const KEY_LENGTH: usize = 32;
const ENDPOINT_LENGTH: usize = 16 + 2;
const VERSION: u8 = 0;

const BIND: u8 = 0x04;
const CHALLENGE: u8 = 0x05;
const ANSWER: u8 = 0x06;
const CALL_ME_MAYBE_VIA: u8 = 0x07;
const ALLOCATE_REQUEST: u8 = 0x08;
const ALLOCATE_RESPONSE: u8 = 0x09;

/// Whether a packet is meant as disco. Cheap: made for every packet that comes in.
pub fn looks_like_disco(packet: &[u8]) -> bool {
    packet.len() >= MAGIC.len() + KEY_LENGTH + NONCE_LENGTH && packet.starts_with(&MAGIC)
}

/// A packet that is not a disco message, or not from whom it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoError {
    /// It does not open.
    #[error(transparent)]
    Box(#[from] OpenError),
    /// It opens, and ends before what belongs into it.
    #[error("a path discovery message is too short")]
    Short,
    /// It names a network of a peer relay that cannot be.
    #[error("a path discovery message names an impossible network")]
    NoSuchNetwork,
}

/// A disco packet before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Who says to have sealed it. Opening it proves that.
    pub sender: DiscoPublic,
    /// Nonce and box.
    pub sealed: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Reads what stands in front of the box; `None` when this is no disco packet.
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        let rest = packet.strip_prefix(&MAGIC)?;
        let (sender, sealed) = rest.split_first_chunk::<KEY_LENGTH>()?;
        (sealed.len() >= NONCE_LENGTH).then(|| Self { sender: DiscoPublic::from_bytes(*sender), sealed })
    }

    /// Opens the box with what we share with the sender.
    pub fn open(&self, shared: &DiscoShared) -> Result<Message, DiscoError> {
        Message::decode(&shared.open(self.sealed)?)
    }
}

/// Tells one ping from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 12]);

/// What a disco packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Can you hear me on this path?
    Ping(Ping),
    /// I can.
    Pong(Pong),
    /// I have sent you packets so that my firewall lets yours in: ping me.
    CallMeMaybe(CallMeMaybe),
    /// To a peer relay: let me into this allocation.
    Bind(Handshake),
    /// From a peer relay: show that packets to you arrive.
    Challenge(Handshake),
    /// To a peer relay: they do.
    Answer(Handshake),
    /// Meet me at this peer relay. Over DERP only.
    CallMeMaybeVia(Allocation),
    /// To a peer relay: set something aside for us.
    AllocateRequest(AllocateRequest),
    /// From a peer relay: this is set aside for you.
    AllocateResponse(AllocateResponse),
    /// A message of another type, kept as it came.
    Unknown(Unknown),
}

/// Asks the peer for a [`Pong`] on the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// What the pong will carry.
    pub transaction: TransactionId,
    /// The sender's node key, since several nodes may have one disco key; very old senders leave it off.
    pub node: Option<NodePublic>,
    /// Bytes that follow, to find out which packet sizes get through.
    pub padding: usize,
}

/// Answers a [`Ping`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong {
    /// That of the ping.
    pub transaction: TransactionId,
    /// From where the ping came, as the sender of the pong saw it.
    pub seen_from: SocketAddr,
}

/// Sent over a relay only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallMeMaybe {
    /// Where the sender thinks it can be reached.
    pub endpoints: Vec<SocketAddr>,
}

/// A message whose type we do not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Its type.
    pub kind: u8,
    /// Its version.
    pub version: u8,
    /// All the rest.
    pub body: Vec<u8>,
}

impl Ping {
    const TYPE: u8 = 0x01;

    fn decode(body: &[u8]) -> Result<Self, DiscoError> {
        let (transaction, rest) = body.split_first_chunk().ok_or(DiscoError::Short)?;
        let transaction = TransactionId(*transaction);
        Ok(match rest.split_first_chunk::<KEY_LENGTH>() {
            Some((key, rest)) => Self { transaction, node: Some(NodePublic::from_bytes(*key)), padding: rest.len() },
            None => Self { transaction, node: None, padding: rest.len() },
        })
    }
}

impl Pong {
    const TYPE: u8 = 0x02;

    fn decode(body: &[u8]) -> Result<Self, DiscoError> {
        let (transaction, rest) = body.split_first_chunk().ok_or(DiscoError::Short)?;
        let (endpoint, _future) = rest.split_first_chunk().ok_or(DiscoError::Short)?;
        Ok(Self { transaction: TransactionId(*transaction), seen_from: read_endpoint(endpoint) })
    }
}

impl CallMeMaybe {
    const TYPE: u8 = 0x03;

    /// Like the official client, a version or length that we do not understand counts as "no endpoints": the call
    /// itself still means something.
    fn decode(version: u8, body: &[u8]) -> Self {
        let (endpoints, rest) = body.as_chunks::<ENDPOINT_LENGTH>();
        if version != VERSION || !rest.is_empty() {
            return Self::default();
        }
        Self { endpoints: endpoints.iter().map(read_endpoint).collect() }
    }
}

impl Message {
    /// Reads what was in a box. Bytes that follow a known message are for future use and ignored.
    pub fn decode(plain: &[u8]) -> Result<Self, DiscoError> {
        let ([kind, version], body) = plain.split_first_chunk::<2>().ok_or(DiscoError::Short)?;
        Ok(match *kind {
            Ping::TYPE => Self::Ping(Ping::decode(body)?),
            Pong::TYPE => Self::Pong(Pong::decode(body)?),
            CallMeMaybe::TYPE => Self::CallMeMaybe(CallMeMaybe::decode(*version, body)),
            BIND => Self::Bind(Handshake::decode(body)?),
            CHALLENGE => Self::Challenge(Handshake::decode(body)?),
            ANSWER => Self::Answer(Handshake::decode(body)?),
            CALL_ME_MAYBE_VIA if *version == VERSION => Self::CallMeMaybeVia(Allocation::decode(body)?),
            ALLOCATE_REQUEST if *version == VERSION => Self::AllocateRequest(AllocateRequest::decode(body)?),
            ALLOCATE_RESPONSE if *version == VERSION => Self::AllocateResponse(AllocateResponse::decode(body)?),
            kind => Self::Unknown(Unknown { kind, version: *version, body: body.to_vec() }),
        })
    }

    /// Appends what goes into a box.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ping(ping) => {
                out.extend_from_slice(&[Ping::TYPE, VERSION]);
                out.extend_from_slice(&ping.transaction.0);
                if let Some(node) = &ping.node {
                    out.extend_from_slice(node.as_bytes());
                }
                out.resize(out.len() + ping.padding, 0);
            }
            Self::Pong(pong) => {
                out.extend_from_slice(&[Pong::TYPE, VERSION]);
                out.extend_from_slice(&pong.transaction.0);
                write_endpoint(pong.seen_from, out);
            }
            Self::CallMeMaybe(call) => {
                out.extend_from_slice(&[CallMeMaybe::TYPE, VERSION]);
                for endpoint in &call.endpoints {
                    write_endpoint(*endpoint, out);
                }
            }
            Self::Bind(handshake) => {
                out.extend_from_slice(&[BIND, VERSION]);
                handshake.encode(out);
            }
            Self::Challenge(handshake) => {
                out.extend_from_slice(&[CHALLENGE, VERSION]);
                handshake.encode(out);
            }
            Self::Answer(handshake) => {
                out.extend_from_slice(&[ANSWER, VERSION]);
                handshake.encode(out);
            }
            Self::CallMeMaybeVia(allocation) => {
                out.extend_from_slice(&[CALL_ME_MAYBE_VIA, VERSION]);
                allocation.encode(out);
            }
            Self::AllocateRequest(request) => {
                out.extend_from_slice(&[ALLOCATE_REQUEST, VERSION]);
                request.encode(out);
            }
            Self::AllocateResponse(response) => {
                out.extend_from_slice(&[ALLOCATE_RESPONSE, VERSION]);
                response.encode(out);
            }
            Self::Unknown(unknown) => {
                out.extend_from_slice(&[unknown.kind, unknown.version]);
                out.extend_from_slice(&unknown.body);
            }
        }
    }

    /// Appends the whole packet to `out`. The nonce must be fresh random bytes.
    pub fn seal(&self, ours: &DiscoPublic, shared: &DiscoShared, nonce: &[u8; NONCE_LENGTH], out: &mut Vec<u8>) {
        let mut plain = Vec::new();
        self.encode(&mut plain);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(ours.as_bytes());
        shared.seal(nonce, &plain, out);
    }
}

/// IPv4 addresses travel as IPv4-mapped IPv6 ones.
fn read_endpoint(bytes: &[u8; ENDPOINT_LENGTH]) -> SocketAddr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&bytes[..16]);
    SocketAddr::new(Ipv6Addr::from(octets).to_canonical(), u16::from_be_bytes([bytes[16], bytes[17]]))
}

fn write_endpoint(endpoint: SocketAddr, out: &mut Vec<u8>) {
    let octets = match endpoint.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    out.extend_from_slice(&octets);
    out.extend_from_slice(&endpoint.port().to_be_bytes());
}

#[cfg(test)]
mod tests;
