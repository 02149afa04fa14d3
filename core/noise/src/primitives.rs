//! The primitives that `snow` runs on: its own, with the caller's ephemeral key and a check of each key agreement.

use snow::Error;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::Zeroizing;

/// Resolves `snow`'s choices for one handshake.
pub(crate) struct Primitives {
    ephemeral: Zeroizing<[u8; 32]>,
}

impl Primitives {
    /// `ephemeral` becomes this side's ephemeral key: random bytes that nothing else used.
    pub(crate) fn new(ephemeral: [u8; 32]) -> Self {
        Self { ephemeral: Zeroizing::new(ephemeral) }
    }
}

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Ephemeral(Some(self.ephemeral.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice).map(|dh| Box::new(CheckedDh(dh)) as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

/// Gives the ephemeral key once. IK asks each side for 32 bytes and no more; a second question would repeat a key.
struct Ephemeral(Option<Zeroizing<[u8; 32]>>);

impl Random for Ephemeral {
    fn try_fill_bytes(&mut self, wanted: &mut [u8]) -> Result<(), Error> {
        let bytes = self.0.take().filter(|bytes| bytes.len() == wanted.len()).ok_or(Error::Rng)?;
        wanted.copy_from_slice(bytes.as_slice());
        Ok(())
    }
}

/// `snow`'s X25519 accepts points of small order, with which an attacker would know the shared secret: zeros.
struct CheckedDh(Box<dyn Dh>);

impl Dh for CheckedDh {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn pub_len(&self) -> usize {
        self.0.pub_len()
    }

    fn priv_len(&self) -> usize {
        self.0.priv_len()
    }

    fn set(&mut self, private: &[u8]) {
        self.0.set(private);
    }

    fn generate(&mut self, random: &mut dyn Random) -> Result<(), Error> {
        self.0.generate(random)
    }

    fn pubkey(&self) -> &[u8] {
        self.0.pubkey()
    }

    fn privkey(&self) -> &[u8] {
        self.0.privkey()
    }

    fn dh(&self, public: &[u8], shared: &mut [u8]) -> Result<(), Error> {
        self.0.dh(public, shared)?;
        let any = shared.iter().take(32).fold(0, |any, byte| any | byte);
        if any == 0 { Err(Error::Dh) } else { Ok(()) }
    }
}
