//! The thread of the relay for peers: what comes from one client goes to the other, as it is.
//!
//! A run of datagrams that the kernel has joined passes as one. The relay is locked once per run, which nobody contends
//! for but an event loop that sets something aside now and then; datagrams that are no run are locked for one by one.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use wattle_relay_core::{Pass, PeerRelay};
use wattle_udp::{Batch, Group, UdpError, UdpReceiver, UdpSender};
use wattle_wire::stun;

use crate::daemon::input::Input;

/// What the thread works with.
pub(super) struct Forwarding {
    pub(super) relay: Arc<Mutex<PeerRelay>>,
    pub(super) sender: UdpSender,
    pub(super) inputs: mpsc::Sender<Input>,
}

impl Forwarding {
    /// From the sockets to the sockets until they are stopped.
    pub(super) fn run(self, mut receiver: UdpReceiver) {
        let (mut batch, mut reply) = (Batch::new(), Vec::new());
        loop {
            match receiver.recv(&mut batch) {
                Ok(_) => {}
                Err(UdpError::Stopped) => return,
                Err(error) => {
                    tracing::error!(%error, "the sockets cannot be read: the relay for peers ends");
                    return;
                }
            }
            for mut group in batch.groups_mut() {
                self.pass(&mut group, &mut reply);
            }
        }
    }

    fn pass(&self, group: &mut Group<'_>, reply: &mut Vec<u8>) {
        let now = wattle_clock::now();
        // Never held while something is sent: that may block, and the event loop would wait with it.
        let relay = || self.relay.lock().unwrap_or_else(PoisonError::into_inner);
        let whole_run = relay().handle_run(group.from, group.bytes, group.stride, now);
        if let Some(to) = whole_run {
            self.sender.send_segments(to, group.bytes, group.stride);
            return;
        }
        let from = group.from;
        for datagram in group.datagrams_mut() {
            if stun::looks_like_stun_response(datagram) {
                // A queue that is full costs one measurement.
                _ = self.inputs.try_send(Input::RelayStun(from, datagram.to_vec()));
                continue;
            }
            let pass = relay().handle_datagram(from, datagram, now, reply);
            match pass {
                Pass::Forward(to) => _ = self.sender.send(to, datagram),
                Pass::Reply => _ = self.sender.send(from, reply),
                Pass::Nothing => {}
            }
        }
    }
}
