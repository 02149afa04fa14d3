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
use wattle_packet::{COALESCED_MAX, SuperPacket};
use wattle_path::Way;
use wattle_time::Instant;
use wattle_tun::{READ_BYTES_MAX, Tun, TunError};
use wattle_udp::{Batch, Sent, UdpReceiver, UdpSender, UdpSockets};

use self::send_batch::SendBatch;
use super::unsent::Unsent;

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
    unsent: Unsent,
}

impl DataThreads {
    /// Starts them. What is not plain traffic goes into `handoffs`, or is dropped when that is full.
    pub(super) fn start(
        tables: Arc<ArcSwap<Tables>>,
        tun: Arc<Tun>,
        udp: &UdpSockets,
        handoffs: mpsc::Sender<Handoff>,
        unsent: Unsent,
    ) -> io::Result<Self> {
        let path = DataPath { tables, tun, handoffs, drops: Arc::default(), unsent };
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
        let origin = Origin::new(Way::Relay { region, peer: from });
        if let Some(packet) = path.take_in(&path.tables.load(), &origin, message, wattle_clock::now()) {
            path.deliver(&[packet]);
        }
        true
    }
}

impl DataPath {
    /// From the TUN to the sockets until the TUN is stopped.
    fn run_outbound(&self, sender: &UdpSender) {
        let mut read = vec![0; READ_BYTES_MAX];
        let mut batch = SendBatch::new(usize::from(self.tun.mtu()));
        loop {
            // Wait for one read, then take what else is there, then send all of it.
            let received =
                if batch.is_empty() { self.tun.recv(&mut read).map(Some) } else { self.tun.try_recv(&mut read) };
            match received {
                Ok(Some(length)) => self.take_out(&mut batch, read.get(..length).unwrap_or_default(), sender),
                Ok(None) => self.flush(&mut batch, sender),
                Err(TunError::Stopped) => return,
                Err(error) => {
                    tracing::error!(%error, "the TUN device cannot be read: packets from this host no longer go out");
                    return;
                }
            }
        }
    }

    /// Cuts one read into packets and seals each where it will be sent from.
    fn take_out(&self, batch: &mut SendBatch, read: &[u8], sender: &UdpSender) {
        let Ok(super_packet) = SuperPacket::parse(read) else { return self.drops.note(DropReason::NotIp) };
        let (tables, now) = (self.tables.load(), wattle_clock::now());
        for index in 0..super_packet.count() {
            if batch.is_full() {
                self.flush(batch, sender);
            }
            let Some(length) = super_packet.write(index, batch.space()) else {
                self.drops.note(DropReason::TooLarge);
                continue;
            };
            match outbound(&tables, batch.message(), length, now, &mut |handoff| self.hand_off(handoff)) {
                Ok(Some(outgoing)) => batch.push(outgoing),
                Ok(None) => {}
                Err(reason) => self.drops.note(reason),
            }
        }
    }

    fn flush(&self, batch: &mut SendBatch, sender: &UdpSender) {
        batch.drain(|to, messages, segment| match sender.send_segments(to, messages, segment) {
            Sent::Yes => {}
            Sent::Full => self.drops.note(DropReason::SocketFull),
            sent => {
                self.drops.note(DropReason::SocketRefused);
                self.unsent.note(to.is_ipv4(), sent, wattle_clock::now());
            }
        });
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
            let (tables, now) = (self.tables.load(), wattle_clock::now());
            for mut group in batch.groups_mut() {
                let origin = Origin::new(Way::Udp(group.from));
                let mut run = Run::new();
                for message in group.datagrams_mut() {
                    if let Some(packet) = self.take_in(&tables, &origin, message, now) {
                        run.push(packet, |packets| self.deliver(packets));
                    }
                }
                self.deliver(run.packets());
            }
        }
    }

    fn take_in<'m>(&self, tables: &Tables, origin: &Origin, message: &'m mut [u8], now: Instant) -> Option<&'m [u8]> {
        match inbound(tables, origin, message, now, &mut |handoff| self.hand_off(handoff)) {
            Ok(packet) => packet,
            Err(reason) => {
                self.drops.note(reason);
                None
            }
        }
    }

    fn deliver(&self, packets: &[&[u8]]) {
        if self.tun.send_run(packets).is_err() {
            self.drops.note(DropReason::HostRefused);
        }
    }

    fn hand_off(&self, handoff: Handoff) {
        if self.handoffs.try_send(handoff).is_err() {
            self.drops.note(DropReason::SlowHalfBusy);
        }
    }
}

/// Packets of one group of datagrams on their way to the TUN.
struct Run<'m> {
    packets: [&'m [u8]; RUN_LENGTH],
    length: usize,
}

/// As many as one write takes, which is also the most that the kernel joins into one group (`UDP_GRO_CNT_MAX`).
const RUN_LENGTH: usize = COALESCED_MAX;

impl<'m> Run<'m> {
    const fn new() -> Self {
        Self { packets: [&[]; RUN_LENGTH], length: 0 }
    }

    /// Adds a packet; a full run is delivered first.
    fn push(&mut self, packet: &'m [u8], deliver: impl FnOnce(&[&'m [u8]])) {
        if self.length == RUN_LENGTH {
            deliver(self.packets());
            self.length = 0;
        }
        if let Some(place) = self.packets.get_mut(self.length) {
            *place = packet;
            self.length += 1;
        }
    }

    fn packets(&self) -> &[&'m [u8]] {
        self.packets.get(..self.length).unwrap_or_default()
    }
}
