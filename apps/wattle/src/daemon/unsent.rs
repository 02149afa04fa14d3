//! Tells the event loop of datagrams that the host did not take, without flooding it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use wattle_time::Instant;
use wattle_udp::Sent;

use super::input::Input;

/// One kind of failure is told this often at most: the event loop acts on it no more often.
const EVERY: Duration = Duration::from_secs(1);

/// The way of such news to the event loop. Clones share the limit.
#[derive(Clone)]
pub(super) struct Unsent {
    told: Arc<[AtomicU64; 6]>,
    inputs: mpsc::Sender<Input>,
}

impl Unsent {
    pub(super) fn new(inputs: mpsc::Sender<Input>) -> Self {
        Self { told: Arc::default(), inputs }
    }

    /// A datagram was not sent. Cheap: one atomic load, as long as nothing is told.
    pub(super) fn note(&self, is_ipv4: bool, sent: Sent, now: Instant) {
        let kind = match sent {
            Sent::Forbidden => 0,
            Sent::NoSource => 2,
            Sent::NoRoute => 4,
            Sent::Yes | Sent::Full | Sent::TooLarge | Sent::Refused => return,
        };
        let Some(told) = self.told.get(kind + usize::from(is_ipv4)) else { return };
        let last = told.load(Ordering::Relaxed);
        if last == 0 || now.since(Instant::from_nanos(last)) >= EVERY {
            told.store(now.as_nanos().max(1), Ordering::Relaxed);
            // A loop that is behind will hear of it again.
            _ = self.inputs.try_send(Input::Unsent { is_ipv4, sent });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_is_told_once_a_second() {
        let (sender, mut inputs) = mpsc::channel(64);
        let unsent = Unsent::new(sender);
        let start = Instant::from_nanos(5_000_000_000);
        for hundredth in 0..150 {
            for (is_ipv4, sent) in [(true, Sent::Forbidden), (false, Sent::NoRoute), (true, Sent::Full)] {
                unsent.note(is_ipv4, sent, start + Duration::from_millis(10) * hundredth);
            }
        }
        let mut told = 0;
        while inputs.try_recv().is_ok() {
            told += 1;
        }
        assert_eq!(told, 4);
    }
}
