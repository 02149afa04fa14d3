//! The handshake pattern, by `snow`: what goes into it and what comes out. It knows nothing of MACs, peers and time.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};
use wattle_keys::{NodePrivate, NodePublic};
use zeroize::Zeroizing;

use crate::timestamp::Timestamp;

const PATTERN: &str = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
const PROLOGUE: &[u8] = b"WireGuard v1 zx2c4 Jason@zx2c4.com";
/// The place of the preshared key in the pattern.
const PSK_PLACE: u8 = 2;

/// Noise parts of the messages: the ephemeral, then what is encrypted.
pub(crate) const INITIATION_NOISE_LENGTH: usize = 32 + 48 + 28;
pub(crate) const RESPONSE_NOISE_LENGTH: usize = 32 + 16;

pub(crate) type Psk = Zeroizing<[u8; 32]>;

/// The handshake failed: the message is not authentic, or a key has small order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoiseError;

impl From<snow::Error> for NoiseError {
    fn from(_: snow::Error) -> Self {
        Self
    }
}

/// The keys of a session, seen from one side.
pub(crate) struct SessionKeys {
    pub(crate) seal: Zeroizing<[u8; 32]>,
    pub(crate) open: Zeroizing<[u8; 32]>,
}

/// We asked, and wait for the answer.
pub(crate) struct Initiator(Box<HandshakeState>);

impl Initiator {
    /// Writes the Noise part of an initiation.
    pub(crate) fn begin(
        ours: &NodePrivate,
        theirs: &NodePublic,
        psk: &Psk,
        timestamp: &Timestamp,
        seed: [u8; 32],
    ) -> Result<(Self, [u8; INITIATION_NOISE_LENGTH]), NoiseError> {
        let mut state = builder(seed)?
            .local_private_key(ours.expose())?
            .remote_public_key(theirs.as_bytes())?
            .psk(PSK_PLACE, psk)?
            .build_initiator()?;
        let mut noise = [0; INITIATION_NOISE_LENGTH];
        let length = state.write_message(timestamp.as_bytes(), &mut noise)?;
        if length != noise.len() {
            return Err(NoiseError);
        }
        Ok((Self(Box::new(state)), noise))
    }

    /// Takes the Noise part of a response. After an error the handshake still waits for the true one.
    pub(crate) fn finish(&mut self, noise: &[u8]) -> Result<SessionKeys, NoiseError> {
        let length = self.0.read_message(noise, &mut [0; RESPONSE_NOISE_LENGTH])?;
        if length != 0 {
            return Err(NoiseError);
        }
        let (initiator, responder) = self.0.dangerously_get_raw_split();
        Ok(SessionKeys { seal: Zeroizing::new(initiator), open: Zeroizing::new(responder) })
    }
}

/// Somebody asked: who it is, and when it says it asked. Dropped unless we choose to answer.
pub(crate) struct Responder {
    state: HandshakeState,
    pub(crate) peer: NodePublic,
    pub(crate) timestamp: Timestamp,
}

impl Responder {
    /// Reads the Noise part of an initiation.
    pub(crate) fn read(ours: &NodePrivate, noise: &[u8], seed: [u8; 32]) -> Result<Self, NoiseError> {
        let mut state = builder(seed)?.local_private_key(ours.expose())?.build_responder()?;
        let mut stamp = [0; INITIATION_NOISE_LENGTH];
        let length = state.read_message(noise, &mut stamp)?;
        let stamp = stamp.first_chunk().filter(|_| length == Timestamp::LENGTH).ok_or(NoiseError)?;
        let peer = state.get_remote_static().and_then(|key| key.first_chunk::<32>()).ok_or(NoiseError)?;
        Ok(Self { peer: NodePublic::from_bytes(*peer), timestamp: Timestamp::from_bytes(*stamp), state })
    }

    /// Writes the Noise part of the response.
    pub(crate) fn answer(mut self, psk: &Psk) -> Result<([u8; RESPONSE_NOISE_LENGTH], SessionKeys), NoiseError> {
        self.state.set_psk(usize::from(PSK_PLACE), psk.as_slice())?;
        let mut noise = [0; RESPONSE_NOISE_LENGTH];
        let length = self.state.write_message(&[], &mut noise)?;
        if length != noise.len() {
            return Err(NoiseError);
        }
        let (initiator, responder) = self.state.dangerously_get_raw_split();
        Ok((noise, SessionKeys { seal: Zeroizing::new(responder), open: Zeroizing::new(initiator) }))
    }
}

fn builder<'a>(seed: [u8; 32]) -> Result<Builder<'a>, NoiseError> {
    let params: NoiseParams = PATTERN.parse()?;
    Ok(Builder::with_resolver(params, Box::new(SeededResolver(seed))).prologue(PROLOGUE)?)
}

/// The default primitives, with randomness that was handed in and a refusal of keys of small order.
struct SeededResolver([u8; 32]);

impl CryptoResolver for SeededResolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SeededRandom(ChaCha20Rng::from_seed(self.0))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::new(ContributoryDh(DefaultResolver.resolve_dh(choice)?)))
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

struct SeededRandom(ChaCha20Rng);

impl Random for SeededRandom {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}

/// X25519 that fails when the result is all zero, as it is for every key of small order (paper 5.4.2 leaves it to the
/// implementation; wireguard-go checks too).
struct ContributoryDh(Box<dyn Dh>);

impl Dh for ContributoryDh {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn pub_len(&self) -> usize {
        self.0.pub_len()
    }

    fn priv_len(&self) -> usize {
        self.0.priv_len()
    }

    fn set(&mut self, privkey: &[u8]) {
        self.0.set(privkey);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        self.0.generate(rng)
    }

    fn pubkey(&self) -> &[u8] {
        self.0.pubkey()
    }

    fn privkey(&self) -> &[u8] {
        self.0.privkey()
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        self.0.dh(pubkey, out)?;
        let result = out.get(..self.0.dh_len()).ok_or(snow::Error::Dh)?;
        if result.iter().fold(0, |sum, byte| sum | byte) == 0 { Err(snow::Error::Dh) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattle_time::UnixTime;

    fn stamp() -> Timestamp {
        Timestamp::newer_than(Timestamp::OLDEST, UnixTime::from_secs(1_700_000_000))
    }

    fn pair() -> (NodePrivate, NodePrivate) {
        (NodePrivate::from_bytes([1; 32]), NodePrivate::from_bytes([2; 32]))
    }

    #[test]
    fn both_sides_get_the_same_keys() {
        let (a, b) = pair();
        let psk = Psk::new([9; 32]);
        let (mut asking, first) = Initiator::begin(&a, &b.public(), &psk, &stamp(), [3; 32]).unwrap();
        let asked = Responder::read(&b, &first, [4; 32]).unwrap();
        assert_eq!((asked.peer, asked.timestamp), (a.public(), stamp()));
        let (second, theirs) = asked.answer(&psk).unwrap();
        assert!(asking.finish(&[0; RESPONSE_NOISE_LENGTH]).is_err(), "a forged answer does not end the handshake");
        let ours = asking.finish(&second).unwrap();
        assert_eq!((&*ours.seal, &*ours.open), (&*theirs.open, &*theirs.seal));
    }

    #[test]
    fn another_preshared_key_gives_no_session() {
        let (a, b) = pair();
        let (mut asking, first) = Initiator::begin(&a, &b.public(), &Psk::new([9; 32]), &stamp(), [3; 32]).unwrap();
        let (second, _) = Responder::read(&b, &first, [4; 32]).unwrap().answer(&Psk::new([8; 32])).unwrap();
        assert!(asking.finish(&second).is_err());
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        let (a, b) = pair();
        assert!(Initiator::begin(&a, &NodePublic::from_bytes([0; 32]), &Psk::new([0; 32]), &stamp(), [3; 32]).is_err());
        let (_, mut first) = Initiator::begin(&a, &b.public(), &Psk::new([0; 32]), &stamp(), [3; 32]).unwrap();
        first[..32].fill(0);
        assert!(Responder::read(&b, &first, [4; 32]).is_err());
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let (a, b) = pair();
        let psk = Psk::new([0; 32]);
        let (mut asking, first) = Initiator::begin(&a, &b.public(), &psk, &stamp(), [3; 32]).unwrap();
        for at in 0..first.len() {
            let mut bent = first;
            bent[at] ^= 1;
            assert!(Responder::read(&b, &bent, [4; 32]).is_err(), "byte {at}");
        }
        let (second, _) = Responder::read(&b, &first, [4; 32]).unwrap().answer(&psk).unwrap();
        for at in 0..second.len() {
            let mut bent = second;
            bent[at] ^= 1;
            assert!(asking.finish(&bent).is_err(), "byte {at}");
        }
        assert!(asking.finish(&second).is_ok());
    }
}
