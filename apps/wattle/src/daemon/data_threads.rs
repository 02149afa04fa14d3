//! The threads that carry packets: one reads the TUN and seals, one reads the sockets and opens.
//!
//! What one packet or message goes through is `wattle_node::{outbound, inbound}`; here are the loops around them, the buffers
//! they work in and the queue to the event loop. Nothing here locks, and nothing allocates unless a packet is handed over.

mod send_batch;

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use wattle_keys::NodePublic;
use wattle_netmap::RegionId;
use wattle_node::{DropReason, Drops, Handoff, Origin, Tables, inbound, outbound};
use wattle_path::Way;
use wattle_tun::{Tun, TunError};
use wattle_udp::{Batch, Sent, UdpReceiver, UdpSender, UdpSockets};

use self::send_batch::SendBatch;

/// The data threads. They end when the TUN and the sockets are stopped.
pub(super) struct DataThreads {
    path: DataPath,
    threads: Vec<JoinHandle<()>>,
}

/// What every packet needs, whichever thread it is on.
#[derive(Clone)]
struct DataPath {
    tables: Arc<ArcSwap<Tables>>,
    tun: Arc<Tun>,
    handoffs: mpsc::Sender<Handoff>,
    drops: Arc<Drops>,
}

impl DataThreads {
    /// Starts them. What is not plain traffic goes into `handoffs`, or is dropped when that is full.
    pub(super) fn start(
        tables: Arc<ArcSwap<Tables>>,
        tun: Arc<Tun>,
        udp: &UdpSockets,
        handoffs: mpsc::Sender<Handoff>,
    ) -> io::Result<Self> {
        let path = DataPath { tables, tun, handoffs, drops: Arc::default() };
        let (out, sender) = (path.clone(), udp.sender());
        let (into, receiver) = (path.clone(), udp.receiver());
        let threads = vec![
            Builder::new().name("outbound".to_owned()).spawn(move || out.run_outbound(&sender))?,
            Builder::new().name("inbound".to_owned()).spawn(move || into.run_inbound(receiver))?,
        ];
        Ok(Self { path, threads })
    }

    /// The same way in, for messages that came by a relay.
    pub(super) fn relay_inbound(&self) -> RelayInbound {
        RelayInbound(self.path.clone())
    }

    /// Waits for the threads to end: after [`Tun::stop`] and [`UdpSockets::stop`].
    pub(super) fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a data thread had panicked");
            }
        }
    }

    /// The counters of drops, in the text form of Prometheus.
    pub(super) fn metrics(&self) -> String {
        let mut text = String::from("# TYPE wattled_dropped_packets_total counter\n");
        for reason in DropReason::all() {
            let count = self.path.drops.count(reason);
            // Writing to a string does not fail.
            _ = writeln!(text, "wattled_dropped_packets_total{{reason=\"{}\"}} {count}", reason.as_str());
        }
        text
    }
}

/// The way in for messages that came by a relay. For the event loop's own thread.
pub(super) struct RelayInbound(DataPath);

impl RelayInbound {
    /// Takes a data message. False when it is none: disco and handshakes are the node's.
    pub(super) fn handle(&mut self, region: RegionId, from: NodePublic, message: &mut [u8]) -> bool {
        if wattle_tunnel::receiver_index(message).is_none() {
            return false;
        }
        let path = &self.0;
        path.take_in(&path.tables.load(), &Origin::new(Way::Relay { region, peer: from }), message);
        true
    }
}

impl DataPath {
    /// From the TUN to the sockets until the TUN is stopped.
    fn run_outbound(&self, sender: &UdpSender) {
        let mut batch = SendBatch::new(usize::from(self.tun.mtu()));
        loop {
            // Wait for one packet, then take what else is there, then send all of it.
            let mut waiting = true;
            while let Some(space) = batch.space() {
                let received = if waiting { self.tun.recv(space).map(Some) } else { self.tun.try_recv(space) };
                waiting = false;
                match received {
                    Ok(Some(length)) => self.take_out(&mut batch, length),
                    Ok(None) => break,
                    Err(TunError::Stopped) => return,
                    Err(error) => {
                        tracing::error!(%error, "the TUN device cannot be read: packets from this host no longer go out");
                        return;
                    }
                }
            }
            batch.drain(|to, messages, segment| {
                if sender.send_segments(to, messages, segment) != Sent::Yes {
                    self.drops.note(DropReason::SocketRefused);
                }
            });
        }
    }

    fn take_out(&self, batch: &mut SendBatch, length: usize) {
        let (tables, now) = (self.tables.load(), wattle_clock::now());
        match outbound(&tables, batch.message(), length, now, &mut |handoff| self.hand_off(handoff)) {
            Ok(Some(outgoing)) => batch.push(outgoing),
            Ok(None) => {}
            Err(reason) => self.drops.note(reason),
        }
    }

    /// From the sockets to the TUN until the sockets are stopped.
    fn run_inbound(&self, mut receiver: UdpReceiver) {
        let mut batch = Batch::new();
        loop {
            match receiver.recv(&mut batch) {
                Ok(_) => {}
                Err(wattle_udp::UdpError::Stopped) => return,
                Err(error) => {
                    tracing::error!(%error, "the sockets cannot be read: no more packets come in straight");
                    return;
                }
            }
            let tables = self.tables.load();
            for mut group in batch.groups_mut() {
                let origin = Origin::new(Way::Udp(group.from));
                for message in group.datagrams_mut() {
                    self.take_in(&tables, &origin, message);
                }
            }
        }
    }

    fn take_in(&self, tables: &Tables, origin: &Origin, message: &mut [u8]) {
        match inbound(tables, origin, message, wattle_clock::now(), &mut |handoff| self.hand_off(handoff)) {
            Ok(Some(packet)) => {
                if self.tun.send(packet).is_err() {
                    self.drops.note(DropReason::HostRefused);
                }
            }
            Ok(None) => {}
            Err(reason) => self.drops.note(reason),
        }
    }

    fn hand_off(&self, handoff: Handoff) {
        if self.handoffs.try_send(handoff).is_err() {
            self.drops.note(DropReason::SlowHalfBusy);
        }
    }
}
