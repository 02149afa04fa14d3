//! The service address of the tailnet (100.100.100.100 and its IPv6 sister): every node answers it for its own host.
//! Names are answered from the map or handed to upstream resolvers; pings are returned.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use wattle_dns::{Answer, Resolver, Transport};
use wattle_packet::{Flow, IpPacket, UdpDatagram, build, protocol};
use wattle_time::{Deadline, Instant, earliest};

use crate::limits::{DNS_PATIENCE, DNS_QUERIES_WAITING_MAX};
use crate::out::{Event, Out};

const DNS_PORT: u16 = 53;

/// Queries that were forwarded and wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Service {
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    client: SocketAddr,
    service: SocketAddr,
    since: Instant,
}

impl Service {
    /// A packet from our host for the service address.
    pub(crate) fn handle(&mut self, packet: &[u8], resolver: &Resolver, now: Instant, out: &mut Out) {
        let Ok(packet) = IpPacket::parse(packet) else { return };
        let mut reply = Vec::new();
        if build::icmp_echo_reply(&packet, &mut reply) {
            out.tun.push(reply);
            return;
        }
        let Some(flow) = Flow::of(&packet) else { return };
        if flow.protocol != protocol::UDP || flow.destination.port() != DNS_PORT {
            return;
        }
        let Some(datagram) = UdpDatagram::parse(packet.payload()) else { return };
        match resolver.answer(datagram.payload(), Transport::Udp) {
            Answer::Reply(message) => {
                if build::udp(flow.destination, flow.source, &message, &mut reply).is_ok() {
                    out.tun.push(reply);
                }
            }
            Answer::Forward(upstreams) => {
                if self.waiting.len() >= DNS_QUERIES_WAITING_MAX {
                    return;
                }
                self.next += 1;
                self.waiting.insert(self.next, Waiting { client: flow.source, service: flow.destination, since: now });
                out.events.push(Event::DnsForward { id: self.next, query: datagram.payload().to_vec(), upstreams });
            }
            Answer::Ignore => {}
        }
    }

    /// An upstream answered.
    pub(crate) fn handle_answer(&mut self, id: u64, message: &[u8], out: &mut Out) {
        let Some(waiting) = self.waiting.remove(&id) else { return };
        let mut reply = Vec::new();
        if build::udp(waiting.service, waiting.client, message, &mut reply).is_ok() {
            out.tun.push(reply);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.waiting.retain(|_, waiting| now.since(waiting.since) < DNS_PATIENCE);
    }

    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        earliest(self.waiting.values().map(|waiting| {
            let end = waiting.since + DNS_PATIENCE;
            Some(Deadline::between(end, end + DNS_PATIENCE, "DNS query to give up"))
        }))
    }
}
