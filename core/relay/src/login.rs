//! From the greeting to a client: the login is opened, its key admitted, and it is welcomed.

use rand_core::RngCore;
use wattle_keys::{NONCE_LENGTH, NodePublic};
use wattle_time::Instant;
use wattle_wire::derp::{ClientLogin, PROTOCOL_VERSION, WelcomeFacts};

use crate::admission::Verdict;
use crate::bucket::TokenBucket;
use crate::clients::Standing;
use crate::limits;
use crate::{ClientId, CutReason, Next, Out, Question, Relay};

impl Relay {
    pub(crate) fn handle_login(&mut self, id: ClientId, login: &ClientLogin<'_>, now: Instant, out: &mut Out) -> Next {
        // The box opens only for who holds the private half of the key it names.
        if login.open(&self.key).is_err() {
            return self.cut(id, CutReason::BadLogin, out);
        }
        let key = login.key;
        match self.admission.decide(&key) {
            Verdict::Admit => self.join(id, key, now, out),
            Verdict::Refuse => {
                self.counters.refused_total += 1;
                return self.cut(id, CutReason::Refused, out);
            }
            Verdict::Ask => {
                let Some(client) = self.clients.find_mut(id) else { return Next::Cut(CutReason::Ended) };
                client.standing = Standing::Asking(key);
                return Next::Ask(Question { key, source: client.source.ip() });
            }
        }
        Next::Read
    }

    /// The answer to [`Next::Ask`].
    pub fn admit(&mut self, id: ClientId, allowed: bool, now: Instant, out: &mut Out) {
        let Some(client) = self.clients.find(id) else { return };
        let Standing::Asking(key) = client.standing else { return };
        if allowed {
            self.join(id, key, now, out);
        } else {
            self.counters.refused_total += 1;
            self.cut(id, CutReason::Refused, out);
        }
    }

    fn join(&mut self, id: ClientId, key: NodePublic, now: Instant, out: &mut Out) {
        while self.clients.of_key(&key).len() >= limits::CONNECTIONS_PER_KEY
            && let Some(oldest) = self.clients.of_key(&key).first().copied()
        {
            self.clients.leave(oldest, &key);
            self.cut(oldest, CutReason::Replaced, out);
        }
        let rate = self.rate;
        let Some(client) = self.clients.find_mut(id) else { return };
        client.standing = Standing::Joined(key);
        client.rate = rate
            .map(|rate| TokenBucket::full(rate.bytes_per_second, rate.burst_bytes.max(limits::MIN_BURST_BYTES), now));
        self.clients.join(id, key);
        self.counters.clients += 1;
        self.counters.logins_total += 1;
        let mut nonce = [0; NONCE_LENGTH];
        self.rng.fill_bytes(&mut nonce);
        // The rate is not announced: a client that knows it drops packets, where a delayed reader only slows it down.
        let welcome = WelcomeFacts { version: PROTOCOL_VERSION, rate_bytes_per_second: 0, burst_bytes: 0 };
        let welcome = welcome.seal(&self.key, &key, &nonce);
        self.send_control_bytes(id, &welcome, out);
        self.send_health_if_any(id, out);
        let pause = self.keep_alive_pause();
        self.set_timer(id, now + pause);
    }
}
