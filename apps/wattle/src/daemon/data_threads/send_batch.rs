//! Sealed messages on their way to the socket, laid one behind the other so that the kernel takes a run of equal ones in
//! one call. Packets are read and sealed in place; the buffer is made once.

use std::net::SocketAddr;
use std::ops::Range;

use wattle_node::Outgoing;
use wattle_tunnel::{HEADER_LENGTH, sealed_length};
use wattle_wire::geneve;

/// Messages in one batch. As many as one GSO call takes; more would only add delay.
const MESSAGES: usize = 64;

/// Messages of one batch.
pub(super) struct SendBatch {
    bytes: Vec<u8>,
    /// Where the next message starts.
    end: usize,
    messages: usize,
    runs: Vec<Run>,
    /// The most one message takes.
    message_bytes_max: usize,
}

/// Messages of one length to one address; the last may be shorter.
struct Run {
    to: SocketAddr,
    segment: usize,
    bytes: Range<usize>,
    is_closed: bool,
}

impl SendBatch {
    /// A batch for packets of up to `mtu` bytes.
    pub(super) fn new(mtu: usize) -> Self {
        let message_bytes_max = sealed_length(mtu) + geneve::HEADER_LENGTH;
        Self {
            bytes: vec![0; MESSAGES * message_bytes_max],
            end: 0,
            messages: 0,
            runs: Vec::with_capacity(MESSAGES),
            message_bytes_max,
        }
    }

    /// Whether it must be drained before another message.
    pub(super) const fn is_full(&self) -> bool {
        self.messages == MESSAGES
    }

    /// Whether there is nothing to send.
    pub(super) const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Where the next packet is written: behind the gap for its header. Empty when the batch is full.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.end + HEADER_LENGTH..self.end + self.message_bytes_max).unwrap_or_default()
    }

    /// The next message: the gap, the packet that was read, and room behind it.
    pub(super) fn message(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Keeps the message that was sealed in [`Self::message`].
    pub(super) fn push(&mut self, outgoing: Outgoing) {
        let Outgoing { to, length } = outgoing;
        let bytes = self.end..self.end + length;
        self.end = bytes.end;
        self.messages += 1;
        if let Some(run) = self.runs.last_mut().filter(|run| run.to == to && !run.is_closed && length <= run.segment) {
            run.bytes.end = bytes.end;
            run.is_closed = length < run.segment;
        } else {
            self.runs.push(Run { to, segment: length, bytes, is_closed: false });
        }
    }

    /// Gives away all runs: address, messages, length of each.
    pub(super) fn drain(&mut self, mut send: impl FnMut(SocketAddr, &[u8], usize)) {
        for run in self.runs.drain(..) {
            send(run.to, self.bytes.get(run.bytes).unwrap_or_default(), run.segment);
        }
        self.end = 0;
        self.messages = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn drained(batch: &mut SendBatch) -> Vec<(u16, usize, usize)> {
        let mut runs = Vec::new();
        batch.drain(|to, messages, segment| runs.push((to.port(), messages.len(), segment)));
        runs
    }

    #[test]
    fn equal_messages_to_one_address_are_one_run_and_a_short_one_ends_it() {
        let mut batch = SendBatch::new(1280);
        for (port, length) in [(1, 96), (1, 96), (1, 48), (1, 48), (2, 48), (1, 96), (1, 112)] {
            assert!(!batch.is_full());
            batch.push(Outgoing { to: to(port), length });
        }
        let expected = [(1, 240, 96), (1, 48, 48), (2, 48, 48), (1, 96, 96), (1, 112, 112)];
        assert_eq!(drained(&mut batch), expected);
        assert_eq!(drained(&mut batch), []);
    }

    #[test]
    fn a_batch_is_full_after_its_messages_and_empty_after_draining() {
        let mut batch = SendBatch::new(1280);
        let length = sealed_length(1280);
        let mut count = 0;
        while !batch.is_full() {
            assert!(batch.space().len() >= 1280);
            batch.push(Outgoing { to: to(1), length });
            count += 1;
        }
        assert_eq!(count, MESSAGES);
        assert_eq!(drained(&mut batch), [(1, MESSAGES * length, length)]);
        assert!(batch.is_empty() && batch.space().len() >= 1280);
    }
}
