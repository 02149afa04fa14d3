//! The relay as the rest of a program sees it: cheap to clone, safe to call from anywhere.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use wattle_keys::NodePublic;
use wattle_relay_core::{ClientId, Config, Counters, Full, Out, Relay, stun::Responder};
use wattle_time::Instant;

/// Says whether a key may use the relay from an address. Asked when the admission is [`crate::Admission::Ask`].
pub type Verify = Arc<dyn Fn(NodePublic, IpAddr) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// A running relay.
#[derive(Clone)]
pub struct RelayHandle {
    inner: Arc<Inner>,
}

struct Inner {
    /// Of the runtime, whose clock tests can turn.
    started: tokio::time::Instant,
    state: Mutex<State>,
    stun: Mutex<Responder>,
    verify: Option<Verify>,
    public: NodePublic,
    /// The timer task sleeps by the earliest deadline; a connection may bring an earlier one.
    sooner: Notify,
}

struct State {
    relay: Relay,
    out: Out,
    /// By slot: wakes the writer of the connection there.
    wakers: Vec<Arc<Notify>>,
}

impl RelayHandle {
    /// A relay, with randomness from the operating system.
    pub fn new(config: Config, verify: Option<Verify>) -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let relay = Relay::new(config, seed);
        let inner = Inner {
            started: tokio::time::Instant::now(),
            public: relay.public_key(),
            state: Mutex::new(State { relay, out: Out::default(), wakers: Vec::new() }),
            stun: Mutex::new(Responder::default()),
            verify,
            sooner: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The key clients know this relay by.
    pub fn public_key(&self) -> NodePublic {
        self.inner.public
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.with(|relay, _, _| relay.counters())
    }

    /// What the STUN responder has done so far.
    pub fn stun_counters(&self) -> Responder {
        *self.inner.stun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits these keys and no others from now on; connections of others are cut.
    pub fn set_members(&self, members: BTreeSet<NodePublic>) {
        self.with(|relay, _, out| relay.set_members(members, out));
    }

    /// Admits one more key, if members are kept.
    pub fn allow(&self, key: NodePublic) {
        self.with(|relay, _, _| relay.allow(key));
    }

    /// Cuts the connections of one key, and takes it out of the members if these are kept.
    pub fn revoke(&self, key: &NodePublic) {
        self.with(|relay, _, out| relay.revoke(key, out));
    }

    /// Whether the key is a member; `None` unless members are kept.
    pub fn is_member(&self, key: &NodePublic) -> Option<bool> {
        self.with(|relay, _, _| relay.is_member(key))
    }

    /// Tells all clients of a problem; an empty text says that it is over.
    pub fn set_health(&self, problem: &str) {
        self.with(|relay, _, out| relay.set_health(problem, out));
    }

    /// Tells all clients to come back after `reconnect_in` and to try for `try_for`. Give the writers a moment, then stop.
    pub fn restart(&self, reconnect_in: Duration, try_for: Duration) {
        self.with(|relay, _, out| relay.restart(reconnect_in, try_for, out));
    }

    /// Keeps clients alive and cuts late logins. Spawn it once; it runs as long as the relay.
    pub async fn run_timers(self) {
        loop {
            match self.with(|relay, _, _| relay.next_timeout()) {
                Some(deadline) => tokio::select! {
                    () = self.sleep_until(deadline.latest) => {}
                    () = self.inner.sooner.notified() => continue,
                },
                None => {
                    self.inner.sooner.notified().await;
                    continue;
                }
            }
            self.with(|relay, now, out| relay.handle_timeout(now, out));
        }
    }

    pub(crate) fn connect(&self, source: SocketAddr) -> Result<(ClientId, Arc<Notify>), Full> {
        let mut state = self.lock();
        let state = &mut *state;
        let soonest = state.relay.next_timeout();
        let id = state.relay.connect(source, self.now(), &mut state.out)?;
        let waker = Arc::new(Notify::new());
        while state.wakers.len() <= id.slot() {
            state.wakers.push(Arc::clone(&waker));
        }
        state.wakers[id.slot()] = Arc::clone(&waker);
        // Its writer has not started and will look by itself.
        state.out.wake.clear();
        if state.relay.next_timeout() != soonest {
            self.inner.sooner.notify_one();
        }
        Ok((id, waker))
    }

    /// Asks whether a key may come in. No answer in time is a no.
    pub(crate) async fn verify(&self, key: NodePublic, source: IpAddr) -> bool {
        match &self.inner.verify {
            Some(verify) => {
                tokio::time::timeout(crate::limits::VERIFY_TIME, verify(key, source)).await.unwrap_or(false)
            }
            None => false,
        }
    }

    /// Runs `act` under the lock, then wakes the writers that got something to do.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Relay, Instant, &mut Out) -> T) -> T {
        let mut state = self.lock();
        let state = &mut *state;
        let result = act(&mut state.relay, self.now(), &mut state.out);
        for id in state.out.wake.drain(..) {
            if let Some(waker) = state.wakers.get(id.slot()) {
                waker.notify_one();
            }
        }
        result
    }

    pub(crate) fn with_stun<T>(&self, act: impl FnOnce(&mut Responder) -> T) -> T {
        act(&mut self.inner.stun.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) async fn sleep_until(&self, when: Instant) {
        tokio::time::sleep(when.since(self.now())).await;
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN + self.inner.started.elapsed()
    }

    /// A panic elsewhere must not take the relay down with it.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
