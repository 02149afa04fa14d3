//! The task around the machine.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant as TokioInstant, sleep, sleep_until};
use wattle_portmap_core::{Event, HttpId, Mapper, Out, Protocols};
use wattle_time::Instant;

use crate::exchange::exchange;
use crate::limits::{DATAGRAM_BYTES, EXCHANGES_MAX, SOCKET_RETRY};
use crate::portmap::{Status, Wanted};
use crate::sockets;

type Exchange = Pin<Box<dyn Future<Output = (HttpId, Option<Bytes>)> + Send>>;

pub(crate) struct Worker {
    mapper: Mapper,
    mark: Option<u32>,
    news: mpsc::Sender<Status>,
    told: Status,
    /// Of the runtime, whose clock tests can turn.
    started: TokioInstant,
    asking: Option<UdpSocket>,
    announcements: Option<UdpSocket>,
    exchanges: FuturesUnordered<Exchange>,
}

impl Worker {
    pub(crate) fn new(seed: [u8; 32], mark: Option<u32>, protocols: Protocols, news: mpsc::Sender<Status>) -> Self {
        Self {
            mapper: Mapper::new(protocols, seed),
            mark,
            news,
            told: Status::default(),
            started: TokioInstant::now(),
            asking: None,
            announcements: None,
            exchanges: FuturesUnordered::new(),
        }
    }

    pub(crate) async fn run(mut self, mut wishes: watch::Receiver<Wanted>, refresh: Arc<Notify>) {
        let mut network = 0;
        let (mut answer, mut announced) = ([0; DATAGRAM_BYTES], [0; DATAGRAM_BYTES]);
        loop {
            let due = self.mapper.next_timeout().map(|deadline| self.started + deadline.latest.since(Instant::ORIGIN));
            let mut out = Out::default();
            tokio::select! {
                wish = wishes.changed() => {
                    if wish.is_err() {
                        break;
                    }
                    let wanted = *wishes.borrow_and_update();
                    self.mapper.set_protocols(wanted.protocols, self.now(), &mut out);
                    if network != wanted.network {
                        network = wanted.network;
                        self.open();
                        self.mapper.set_gateway(wanted.gateway, self.now(), &mut out);
                    }
                }
                () = refresh.notified() => self.mapper.refresh(self.now(), &mut out),
                heard = receive(self.asking.as_ref(), &mut answer) => match heard {
                    Ok((length, from)) => self.hear(&answer, length, from, &mut out),
                    Err(_) => sleep(SOCKET_RETRY).await,
                },
                heard = receive(self.announcements.as_ref(), &mut announced) => match heard {
                    Ok((length, from)) => self.hear(&announced, length, from, &mut out),
                    Err(_) => self.announcements = None,
                },
                Some((id, body)) = self.exchanges.next() => {
                    self.mapper.handle_http(id, body.as_deref(), self.now(), &mut out);
                }
                () = at(due) => self.mapper.handle_timeout(self.now(), &mut out),
            }
            self.carry_out(out).await;
        }
        let mut out = Out::default();
        self.mapper.release(&mut out);
        self.carry_out(out).await;
        while self.exchanges.next().await.is_some() {}
    }

    /// Opens sockets for the network that we are in now.
    fn open(&mut self) {
        let problem = |error: io::Error| tracing::debug!(%error, "no socket for port mapping");
        self.asking = sockets::asking(self.mark).map_err(problem).ok();
        if self.announcements.is_none() {
            self.announcements = sockets::announcements(self.mark).map_err(problem).ok();
        }
    }

    fn hear(&mut self, buffer: &[u8], length: usize, from: SocketAddr, out: &mut Out) {
        if let Some(bytes) = buffer.get(..length) {
            self.mapper.handle_datagram(from, bytes, self.now(), out);
        }
    }

    async fn carry_out(&mut self, out: Out) {
        if let Some(socket) = &self.asking {
            for (to, packet) in out.transmits {
                // What is lost is sent again.
                let _lost: io::Result<usize> = socket.send_to(&packet, to).await;
            }
        }
        for request in out.requests {
            if self.exchanges.len() < EXCHANGES_MAX {
                self.exchanges.push(Box::pin(exchange(request, self.mark)));
            }
        }
        for event in out.events {
            match event {
                Event::MappingChanged(Some(mapping)) => {
                    tracing::info!(external = %mapping.external, protocol = ?mapping.protocol, "a port is mapped");
                }
                Event::MappingChanged(None) => tracing::info!("no port is mapped any more"),
                Event::SeenChanged => {}
                Event::Implausible(sentence) => tracing::warn!("{sentence}: no port is mapped"),
            }
        }
        let status = Status { mapping: self.mapper.mapping(), seen: self.mapper.seen() };
        if status != self.told && self.news.try_send(status).is_ok() {
            self.told = status;
        }
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN + self.started.elapsed()
    }
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => pending().await,
    }
}

async fn at(when: Option<TokioInstant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => pending().await,
    }
}
