//! What will happen, earliest first; of the same moment in the order it was put in.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use wattle_time::Instant;

#[derive(Debug)]
pub(crate) struct Queue<T> {
    waiting: BinaryHeap<Waiting<T>>,
    sequence: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    at: Instant,
    sequence: u64,
    event: T,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { waiting: BinaryHeap::new(), sequence: 0 }
    }

    pub(crate) fn push(&mut self, at: Instant, event: T) {
        self.sequence += 1;
        self.waiting.push(Waiting { at, sequence: self.sequence, event });
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.waiting.peek().map(|waiting| waiting.at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, T)> {
        self.waiting.pop().map(|waiting| (waiting.at, waiting.event))
    }
}

impl<T> Ord for Waiting<T> {
    /// The heap gives the greatest first: that is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Waiting<T> {}
