//! Cookies: under load, an initiator must show that it receives what is sent to its address (paper 5.4.7).

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInPlace, KeyInit, generic_array::GenericArray};
use wattle_time::Instant;

use crate::limits::COOKIE_LIFETIME;
use crate::mac::{Macs, Tag, mac, verify_mac2};
use crate::message::{self, COOKIE_REPLY_LENGTH};

/// Gives out cookies. A cookie is a MAC of the source, so nothing is remembered per source.
pub(crate) struct CookieIssuer {
    secret: [u8; 32],
    since: Instant,
}

impl CookieIssuer {
    pub(crate) const fn new(secret: [u8; 32], now: Instant) -> Self {
        Self { secret, since: now }
    }

    /// Whether the secret is due to be replaced.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        now.since(self.since) >= COOKIE_LIFETIME
    }

    /// Whether the message ends with the MAC of the cookie that `source` was given.
    pub(crate) fn admits(&self, source: &[u8], message: &[u8]) -> bool {
        verify_mac2(&mac(&self.secret, &[source]), message)
    }

    /// The answer that carries the cookie of `source`. `sealing_key` follows from our public key.
    pub(crate) fn reply(
        &self,
        source: &[u8],
        message: &[u8],
        sealing_key: &[u8; 32],
        nonce: &[u8; 24],
    ) -> Option<Vec<u8>> {
        let sender = message::index_at(message, 4)?;
        let mac1 = Macs::of(message)?.mac1;
        let mut sealed = [0; 32];
        let (cookie, tag_room) = sealed.split_at_mut(16);
        cookie.copy_from_slice(&mac(&self.secret, &[source]));
        let cipher = XChaCha20Poly1305::new(GenericArray::from_slice(sealing_key));
        let tag = cipher.encrypt_in_place_detached(GenericArray::from_slice(nonce), mac1, cookie).ok()?;
        tag_room.copy_from_slice(&tag);
        Some(message::cookie_reply(sender, nonce, &sealed))
    }
}

/// A cookie that a peer gave us.
#[derive(Clone, Copy)]
pub(crate) struct Cookie {
    tag: Tag,
    received: Instant,
}

impl Cookie {
    /// Opens a cookie reply to the message with `mac1`. `sealing_key` follows from the peer's public key.
    pub(crate) fn open(reply: &[u8], mac1: &Tag, sealing_key: &[u8; 32], now: Instant) -> Option<Self> {
        let reply: &[u8; COOKIE_REPLY_LENGTH] = reply.try_into().ok()?;
        let (nonce, sealed) = reply.get(8..)?.split_first_chunk::<24>()?;
        let (cookie, tag) = sealed.split_first_chunk::<16>()?;
        let mut cookie = *cookie;
        XChaCha20Poly1305::new(GenericArray::from_slice(sealing_key))
            .decrypt_in_place_detached(
                GenericArray::from_slice(nonce),
                mac1,
                &mut cookie,
                GenericArray::from_slice(tag),
            )
            .ok()?;
        Some(Self { tag: cookie, received: now })
    }

    /// The cookie while it is good.
    pub(crate) fn valid(&self, now: Instant) -> Option<&Tag> {
        (now.since(self.received) < COOKIE_LIFETIME).then_some(&self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::ReceiverKeys;
    use wattle_keys::NodePublic;

    #[test]
    fn a_cookie_admits_its_source_until_the_secret_changes() {
        let keys = ReceiverKeys::new(&NodePublic::from_bytes([3; 32]));
        let now = Instant::ORIGIN;
        let issuer = CookieIssuer::new([5; 32], now);
        let mut first = message::initiation(77, &[0; 108]);
        let mac1 = keys.finish(&mut first, None);
        assert!(!issuer.admits(b"here", &first));

        let reply = issuer.reply(b"here", &first, &keys.cookie, &[4; 24]).unwrap();
        assert_eq!(message::index_at(&reply, 4), Some(77));
        let cookie = Cookie::open(&reply, &mac1, &keys.cookie, now).unwrap();
        let mut second = message::initiation(78, &[0; 108]);
        keys.finish(&mut second, cookie.valid(now));
        assert!(issuer.admits(b"here", &second));
        assert!(!issuer.admits(b"elsewhere", &second));
        assert!(!CookieIssuer::new([6; 32], now).admits(b"here", &second));
        assert!(cookie.valid(now + COOKIE_LIFETIME).is_none());
        assert!(issuer.is_stale(now + COOKIE_LIFETIME));
    }

    #[test]
    fn a_reply_to_another_message_is_refused() {
        let keys = ReceiverKeys::new(&NodePublic::from_bytes([3; 32]));
        let issuer = CookieIssuer::new([5; 32], Instant::ORIGIN);
        let mut message = message::initiation(1, &[0; 108]);
        let mac1 = keys.finish(&mut message, None);
        let reply = issuer.reply(b"here", &message, &keys.cookie, &[4; 24]).unwrap();
        assert!(Cookie::open(&reply, &[0; 16], &keys.cookie, Instant::ORIGIN).is_none());
        assert!(Cookie::open(&reply[..63], &mac1, &keys.cookie, Instant::ORIGIN).is_none());
        for at in 8..reply.len() {
            let mut bent = reply.clone();
            bent[at] ^= 1;
            assert!(Cookie::open(&bent, &mac1, &keys.cookie, Instant::ORIGIN).is_none());
        }
    }
}
