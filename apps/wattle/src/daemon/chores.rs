//! Small errands outside the tunnel that the node asks for: looking names up, timing relays, forwarding DNS queries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use wattle_host::BYPASS_MARK;
use wattle_link::{ControlClient, Dialer, Witness, https_latency, is_captive};
use wattle_netmap::DerpRegion;

use super::input::Input;
use super::limits::{CHORES_MAX, DNS_ANSWER_BYTES_MAX, DNS_ANSWER_WAIT};

const DNS_PORT: u16 = 53;

/// Runs errands; what comes of them is brought as [`Input`].
pub(super) struct Chores {
    dialer: Dialer,
    inputs: mpsc::Sender<Input>,
    room: Arc<Semaphore>,
}

impl Chores {
    pub(super) fn new(dialer: Dialer, inputs: mpsc::Sender<Input>) -> Self {
        Self { dialer, inputs, room: Arc::new(Semaphore::new(CHORES_MAX)) }
    }

    /// Looks a host name up.
    pub(super) fn resolve(&self, host: String) {
        self.run(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await;
            let addresses = found.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default();
            Some(Input::Resolved(host, addresses))
        });
    }

    /// Times an HTTPS request to a region.
    pub(super) fn measure(&self, region: &DerpRegion) {
        let (dialer, id) = (self.dialer.clone(), region.id);
        let nodes: Vec<_> = region.nodes.iter().filter(|node| !node.stun_only).cloned().collect();
        self.run(async move {
            let mut latency: Option<Duration> = None;
            for node in nodes {
                latency = https_latency(&dialer, &node, false).await.ok();
                if latency.is_some() {
                    break;
                }
            }
            Some(Input::HttpsTimed(id, latency))
        });
    }

    /// Asks servers over plain HTTP whether something answers in their place. One that was answered wrongly decides.
    pub(super) fn look_for_captive_portal(&self, witnesses: Vec<Witness>) {
        let dialer = self.dialer.clone();
        self.run(async move {
            let mut asked: FuturesUnordered<_> = witnesses.iter().map(|witness| is_captive(&dialer, witness)).collect();
            let mut found = None;
            while let Some(answer) = asked.next().await {
                found = found.max(answer);
            }
            Some(Input::CaptivePortal(found))
        });
    }

    /// Shows the coordination server that we are there: asks for a page of its, through its channel or beside it.
    pub(super) fn show_life(&self, url: String, channel: Option<ControlClient>) {
        let dialer = self.dialer.clone();
        self.run(async move {
            let shown = match channel {
                Some(channel) => {
                    let path = url.parse::<http::Uri>().ok()?.path_and_query()?.as_str().to_owned();
                    channel
                        .request(http::Method::HEAD, &path, Vec::new())
                        .await
                        .map(drop)
                        .map_err(|error| error.to_string())
                }
                None => dialer.get(&url).await.map(drop).map_err(|error| error.to_string()),
            };
            if let Err(error) = shown {
                tracing::debug!(error, "the coordination server's question is not answered");
            }
            None
        });
    }

    /// Asks upstream resolvers; the first answer wins.
    pub(super) fn forward(&self, id: u64, query: Vec<u8>, upstreams: &[String]) {
        let upstreams: Vec<SocketAddr> = upstreams.iter().filter_map(|text| upstream(text)).collect();
        self.run(async move {
            let mut asked: FuturesUnordered<_> = upstreams.iter().map(|upstream| ask(*upstream, &query)).collect();
            while let Some(answer) = asked.next().await {
                if let Some(answer) = answer {
                    return Some(Input::DnsAnswered(id, answer));
                }
            }
            None
        });
    }

    fn run(&self, errand: impl Future<Output = Option<Input>> + Send + 'static) {
        let Ok(permit) = self.room.clone().try_acquire_owned() else { return };
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            if let Some(input) = errand.await {
                _ = inputs.send(input).await;
            }
            drop(permit);
        });
    }
}

/// An address with or without a port. URLs (DNS over HTTPS) are not asked.
fn upstream(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse().ok().map(|address: IpAddr| SocketAddr::new(address, DNS_PORT)))
}

/// One query over UDP, outside the tunnel. `None`: no answer to it in time.
async fn ask(upstream: SocketAddr, query: &[u8]) -> Option<Vec<u8>> {
    let local: IpAddr = if upstream.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((local, 0)).await.ok()?;
    // Without the right to mark, the query takes the way that the host gives it.
    _ = socket2::SockRef::from(&socket).set_mark(BYPASS_MARK);
    socket.connect(upstream).await.ok()?;
    socket.send(query).await.ok()?;
    let answered = async {
        let mut answer = vec![0; DNS_ANSWER_BYTES_MAX];
        loop {
            let length = socket.recv(&mut answer).await.ok()?;
            // Another query's answer, or a forged one: the identifier must fit.
            if length >= 2 && answer.get(..2) == query.get(..2) {
                answer.truncate(length);
                return Some(answer);
            }
        }
    };
    timeout(DNS_ANSWER_WAIT, answered).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_have_a_port_or_get_one() {
        assert_eq!(upstream("192.0.2.53"), Some("192.0.2.53:53".parse().unwrap()));
        assert_eq!(upstream("192.0.2.53:5353"), Some("192.0.2.53:5353".parse().unwrap()));
        assert_eq!(upstream("fd00::1"), Some("[fd00::1]:53".parse().unwrap()));
        assert_eq!(upstream("https://dns.example.com/dns-query"), None);
    }

    #[tokio::test]
    async fn answers_to_other_questions_are_not_taken() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let asking = tokio::spawn(async move { ask(address, b"\x12\x34query").await });
        let mut query = [0; 64];
        let (length, client) = server.recv_from(&mut query).await.unwrap();
        assert_eq!(&query[..length], b"\x12\x34query");
        server.send_to(b"\x99\x99forged", client).await.unwrap();
        server.send_to(b"\x12\x34answer", client).await.unwrap();
        assert_eq!(asking.await.unwrap().as_deref(), Some(&b"\x12\x34answer"[..]));
    }
}
