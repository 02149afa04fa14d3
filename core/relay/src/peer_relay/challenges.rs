//! What a client must send back to show that it receives at its address. Nothing is remembered per challenge: it is a
//! MAC of what it is about, under a secret that changes.

use std::net::{IpAddr, SocketAddr};

use blake2::Blake2sMac;
use blake2::digest::{KeyInit, Mac, consts::U32};
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use wattle_time::Instant;
use wattle_wire::disco::{CHALLENGE_LENGTH, Handshake};

use crate::limits::CHALLENGE_SECRET_LIFETIME;

type Secret = [u8; 32];

/// Makes challenges and recognises them: those of the present secret and of the one before.
pub(super) struct Challenges {
    secret: Secret,
    previous: Option<Secret>,
    since: Instant,
}

impl Challenges {
    pub(super) const fn new(secret: Secret, now: Instant) -> Self {
        Self { secret, previous: None, since: now }
    }

    pub(super) fn rotate_if_due(&mut self, rng: &mut ChaCha20Rng, now: Instant) {
        let age = now.since(self.since);
        if age < CHALLENGE_SECRET_LIFETIME {
            return;
        }
        // After a long rest the present secret is too old to go on as the previous one.
        self.previous = (age < CHALLENGE_SECRET_LIFETIME * 2).then_some(self.secret);
        rng.fill_bytes(&mut self.secret);
        self.since = now;
    }

    pub(super) fn challenge(&self, handshake: &Handshake, from: SocketAddr) -> [u8; CHALLENGE_LENGTH] {
        state(&self.secret, handshake, from).map_or([0; CHALLENGE_LENGTH], |state| state.finalize().into_bytes().into())
    }

    /// Whether the handshake carries the challenge that was made for it and its address.
    pub(super) fn recognise(&self, handshake: &Handshake, from: SocketAddr) -> bool {
        [Some(&self.secret), self.previous.as_ref()].into_iter().flatten().any(|secret| {
            state(secret, handshake, from).is_some_and(|state| state.verify_slice(&handshake.challenge).is_ok())
        })
    }
}

fn state(secret: &Secret, handshake: &Handshake, from: SocketAddr) -> Option<Blake2sMac<U32>> {
    let mut state = <Blake2sMac<U32> as KeyInit>::new_from_slice(secret).ok()?;
    state.update(&handshake.vni.as_u32().to_be_bytes());
    state.update(&handshake.generation.to_be_bytes());
    state.update(handshake.remote.as_bytes());
    match from.ip() {
        IpAddr::V4(ip) => state.update(&ip.octets()),
        IpAddr::V6(ip) => state.update(&ip.octets()),
    }
    state.update(&from.port().to_be_bytes());
    Some(state)
}
