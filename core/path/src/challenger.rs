//! A path that is better than the one in use, until it has been so for long enough.

use std::net::SocketAddr;

use wattle_time::Instant;

use crate::timing::{DWELL, DWELL_ANSWERS};

/// The one path that is considered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Challenger {
    pub(crate) address: SocketAddr,
    since: Instant,
    answers: u32,
    /// Sealed pings that were sent to see whether it carries data.
    asked: u32,
}

/// So many sealed pings it may leave unanswered.
const ASKED_MAX: u32 = 3;

impl Challenger {
    /// It has just been better for the first time.
    pub(crate) fn new(address: SocketAddr, now: Instant) -> Self {
        Self { address, since: now, answers: 1, asked: 0 }
    }

    /// It was better again. Returns whether that is enough.
    pub(crate) fn note_better(&mut self, now: Instant) -> bool {
        self.answers = self.answers.saturating_add(1);
        self.is_ready(now)
    }

    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        self.answers >= DWELL_ANSWERS && now.since(self.since) >= DWELL
    }

    /// A sealed ping goes to it. `false`: it has left too many unanswered.
    pub(crate) fn ask(&mut self) -> bool {
        self.asked += 1;
        self.asked <= ASKED_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_takes_several_answers_and_some_time() {
        let at = |seconds| Instant::ORIGIN + Duration::from_secs(seconds);
        let mut quick = Challenger::new("192.0.2.1:1".parse().unwrap(), at(0));
        assert!(!(0..50).any(|_| quick.note_better(at(4))));
        assert!(quick.note_better(at(5)));
        let mut slow = Challenger::new("192.0.2.1:1".parse().unwrap(), at(0));
        assert!(!slow.note_better(at(60)));
        assert!(slow.note_better(at(61)));
    }
}
