//! What clients of a peer relay say to it, to each other and hear from it: allocation over DERP, and the handshake of
//! three messages over UDP by which the relay learns each client's address.
//!
//! Source: tailscale `disco/disco.go` (`BindUDPRelayEndpointCommon`, `UDPRelayEndpoint` and what is made of them).

use std::net::SocketAddr;
use std::time::Duration;

use wattle_keys::DiscoPublic;

use super::{DiscoError, ENDPOINT_LENGTH, KEY_LENGTH, read_endpoint, write_endpoint};
use crate::geneve::Vni;

/// How long a challenge is.
pub const CHALLENGE_LENGTH: usize = 32;

/// One message of the handshake. All three are equally long, so that a relay never answers with more than it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Which allocation; must equal that in the Geneve header, which nobody seals.
    pub vni: Vni,
    /// Counts the client's handshakes; never zero.
    pub generation: u32,
    /// The client at the other end of the allocation.
    pub remote: DiscoPublic,
    /// What the relay wants to see again; means nothing in the first message.
    pub challenge: [u8; CHALLENGE_LENGTH],
}

/// What a peer relay has set aside for a pair of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The key that the relay seals handshakes with, new at each start of it.
    pub server: DiscoPublic,
    /// The clients, in the order of their keys.
    pub clients: [DiscoPublic; 2],
    /// Of two allocations of one server the one with the larger number is newer.
    pub lamport_id: u64,
    /// Its number on the wire.
    pub vni: Vni,
    /// How long the clients have for their handshakes.
    pub bind_lifetime: Duration,
    /// How long it stays without traffic.
    pub steady_lifetime: Duration,
    /// Where the relay may be reached; at least one.
    pub addresses: Vec<SocketAddr>,
}

/// Asks a relay for an allocation. Over DERP only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocateRequest {
    /// The clients, in the order of their keys; the sender is one of them.
    pub clients: [DiscoPublic; 2],
    /// What the response will carry.
    pub generation: u32,
}

/// Answers an [`AllocateRequest`]. Over DERP only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocateResponse {
    /// That of the request.
    pub generation: u32,
    /// What was set aside.
    pub allocation: Allocation,
}

/// Two keys in the order in which messages have them.
pub fn in_order(a: DiscoPublic, b: DiscoPublic) -> [DiscoPublic; 2] {
    if a <= b { [a, b] } else { [b, a] }
}

impl Handshake {
    pub(super) fn decode(body: &[u8]) -> Result<Self, DiscoError> {
        let (vni, rest) = take::<4>(body)?;
        let (generation, rest) = take::<4>(rest)?;
        let (remote, rest) = take::<KEY_LENGTH>(rest)?;
        let (challenge, _future) = take::<CHALLENGE_LENGTH>(rest)?;
        Ok(Self {
            vni: vni_of(vni)?,
            generation: u32::from_be_bytes(*generation),
            remote: DiscoPublic::from_bytes(*remote),
            challenge: *challenge,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.vni.as_u32().to_be_bytes());
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(self.remote.as_bytes());
        out.extend_from_slice(&self.challenge);
    }
}

impl Allocation {
    pub(super) fn decode(body: &[u8]) -> Result<Self, DiscoError> {
        let (server, rest) = take::<KEY_LENGTH>(body)?;
        let (clients, rest) = take_keys(rest)?;
        let (lamport_id, rest) = take::<8>(rest)?;
        let (vni, rest) = take::<4>(rest)?;
        let (bind_lifetime, rest) = take::<8>(rest)?;
        let (steady_lifetime, rest) = take::<8>(rest)?;
        let (addresses, excess) = rest.as_chunks::<ENDPOINT_LENGTH>();
        if addresses.is_empty() || !excess.is_empty() {
            return Err(DiscoError::Short);
        }
        Ok(Self {
            server: DiscoPublic::from_bytes(*server),
            clients,
            lamport_id: u64::from_be_bytes(*lamport_id),
            vni: vni_of(vni)?,
            bind_lifetime: duration_of(bind_lifetime),
            steady_lifetime: duration_of(steady_lifetime),
            addresses: addresses.iter().map(read_endpoint).collect(),
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for key in [&self.server].into_iter().chain(&self.clients) {
            out.extend_from_slice(key.as_bytes());
        }
        out.extend_from_slice(&self.lamport_id.to_be_bytes());
        out.extend_from_slice(&self.vni.as_u32().to_be_bytes());
        for lifetime in [self.bind_lifetime, self.steady_lifetime] {
            out.extend_from_slice(&i64::try_from(lifetime.as_nanos()).unwrap_or(i64::MAX).to_be_bytes());
        }
        for address in &self.addresses {
            write_endpoint(*address, out);
        }
    }
}

impl AllocateRequest {
    pub(super) fn decode(body: &[u8]) -> Result<Self, DiscoError> {
        let (clients, rest) = take_keys(body)?;
        let (generation, _future) = take::<4>(rest)?;
        Ok(Self { clients, generation: u32::from_be_bytes(*generation) })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for key in &self.clients {
            out.extend_from_slice(key.as_bytes());
        }
        out.extend_from_slice(&self.generation.to_be_bytes());
    }
}

impl AllocateResponse {
    pub(super) fn decode(body: &[u8]) -> Result<Self, DiscoError> {
        let (generation, rest) = take::<4>(body)?;
        Ok(Self { generation: u32::from_be_bytes(*generation), allocation: Allocation::decode(rest)? })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.generation.to_be_bytes());
        self.allocation.encode(out);
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), DiscoError> {
    bytes.split_first_chunk().ok_or(DiscoError::Short)
}

fn take_keys(bytes: &[u8]) -> Result<([DiscoPublic; 2], &[u8]), DiscoError> {
    let (one, rest) = take::<KEY_LENGTH>(bytes)?;
    let (other, rest) = take::<KEY_LENGTH>(rest)?;
    Ok(([one, other].map(|key| DiscoPublic::from_bytes(*key)), rest))
}

fn vni_of(bytes: &[u8; 4]) -> Result<Vni, DiscoError> {
    Vni::new(u32::from_be_bytes(*bytes)).ok_or(DiscoError::NoSuchNetwork)
}

/// Signed nanoseconds, as Go has them; what is negative lasts no time.
fn duration_of(bytes: &[u8; 8]) -> Duration {
    Duration::from_nanos(u64::try_from(i64::from_be_bytes(*bytes)).unwrap_or(0))
}

#[cfg(test)]
mod tests;
