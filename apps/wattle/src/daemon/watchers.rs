//! Those who follow the bus (`watch-ipn-bus`): each gets one JSON line an event, and who is too slow is let go.

use bytes::Bytes;
use tokio::sync::mpsc;
use wattle_wire::local::Notify;

use super::limits::{WATCHER_EVENTS_MAX, WATCHERS_MAX};

/// The watchers.
#[derive(Default)]
pub(super) struct Watchers(Vec<mpsc::Sender<Bytes>>);

impl Watchers {
    /// Adds one, which gets these events first. `None`: there are too many.
    pub(super) fn add(&mut self, first: &[Notify]) -> Option<mpsc::Receiver<Bytes>> {
        self.0.retain(|watcher| !watcher.is_closed());
        if self.0.len() >= WATCHERS_MAX {
            return None;
        }
        let (sender, receiver) = mpsc::channel(WATCHER_EVENTS_MAX);
        for event in first {
            _ = sender.try_send(line(event));
        }
        self.0.push(sender);
        Some(receiver)
    }

    /// Tells all.
    pub(super) fn tell(&mut self, event: &Notify) {
        if self.0.is_empty() {
            return;
        }
        let line = line(event);
        self.0.retain(|watcher| watcher.try_send(line.clone()).is_ok());
    }
}

fn line(event: &Notify) -> Bytes {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_that_does_not_read_is_let_go_and_others_stay() {
        let mut watchers = Watchers::default();
        let mut quick = watchers.add(&[]).unwrap();
        let slow = watchers.add(&[Notify::default()]).unwrap();
        for _ in 0..WATCHER_EVENTS_MAX {
            watchers.tell(&Notify::default());
            assert!(quick.try_recv().is_ok());
        }
        assert_eq!(watchers.0.len(), 1);
        drop(slow);
    }

    #[test]
    fn there_is_an_end_to_watchers() {
        let mut watchers = Watchers::default();
        let all: Vec<_> = (0..WATCHERS_MAX).map(|_| watchers.add(&[])).collect();
        assert!(all.iter().all(Option::is_some) && watchers.add(&[]).is_none());
        drop(all);
        assert!(watchers.add(&[]).is_some());
    }
}
