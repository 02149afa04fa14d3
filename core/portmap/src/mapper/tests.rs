//! Against routers that know one protocol or another, tell the truth or not, and forget.

use proptest::prelude::*;

use super::*;
use crate::HttpRequest;

const START: Instant = Instant::from_nanos(1_000_000_000_000);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const EXTERNAL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
const DESCRIPTION: &str = "<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/ctl</controlURL></service>";

/// A router.
#[derive(Clone)]
struct Router {
    knows: Protocols,
    external: Ipv4Addr,
    /// Seconds since it was started.
    epoch: u32,
    lifetime: u32,
    only_permanent: bool,
    taken_port: Option<u16>,
    released: bool,
}

fn router(pcp: bool, pmp: bool, upnp: bool) -> Router {
    Router {
        knows: Protocols { pcp, pmp, upnp },
        external: EXTERNAL,
        epoch: 1000,
        lifetime: 7200,
        only_permanent: false,
        taken_port: None,
        released: false,
    }
}

fn gateway() -> Gateway {
    Gateway { router: ROUTER, own: "192.168.1.9:41641".parse().unwrap() }
}

fn pmp_from() -> SocketAddr {
    (ROUTER, ROUTER_PORT).into()
}

impl Router {
    fn answer(&mut self, to: SocketAddrV4, request: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
        let answered = match (to.port(), request) {
            (ROUTER_PORT, [2, ..]) if self.knows.pcp => {
                let mut answer = request.to_vec();
                answer[1] |= 128;
                let lifetime = u32::from_be_bytes(request[4..8].try_into().unwrap());
                self.released |= lifetime == 0;
                answer[4..8].copy_from_slice(&lifetime.min(self.lifetime).to_be_bytes());
                answer[8..24].fill(0);
                answer[8..12].copy_from_slice(&self.epoch.to_be_bytes());
                answer[44..60].copy_from_slice(&self.external.to_ipv6_mapped().octets());
                answer
            }
            (ROUTER_PORT, [2, ..]) if self.knows.pmp => {
                [&[0, 129, 0, 1][..], &self.epoch.to_be_bytes(), &[0; 8]].concat()
            }
            (ROUTER_PORT, [0, 0]) if self.knows.pmp => self.announcement(),
            (ROUTER_PORT, [0, 1, ..]) if self.knows.pmp => {
                self.released |= request[8..12] == [0; 4];
                let epoch = self.epoch.to_be_bytes();
                [&[0, 129, 0, 0][..], &epoch, &request[4..8], &self.lifetime.to_be_bytes()].concat()
            }
            (ssdp::PORT, _) if self.knows.upnp => {
                let st = ssdp::WANTED[0];
                format!("HTTP/1.1 200 OK\r\nST: {st}\r\nLocation: http://{ROUTER}:5000/desc.xml\r\n\r\n").into_bytes()
            }
            _ => return None,
        };
        Some(((ROUTER, to.port()).into(), answered))
    }

    fn announcement(&self) -> Vec<u8> {
        [&[0, 128, 0, 0][..], &self.epoch.to_be_bytes(), &self.external.octets()].concat()
    }

    fn http(&mut self, request: &HttpRequest) -> Option<Vec<u8>> {
        assert_eq!(*request.to.ip(), ROUTER);
        let Some((action, body)) = &request.action else { return Some(DESCRIPTION.into()) };
        let port = |name: &str| body.split_once(&format!("<{name}>")).unwrap().1.split_once('<').unwrap().0.to_owned();
        let text = if action.contains("GetExternal") {
            format!("<NewExternalIPAddress>{}</NewExternalIPAddress>", self.external)
        } else if action.contains("Delete") {
            self.released = true;
            "<DeletePortMappingResponse/>".to_owned()
        } else if self.only_permanent && port("NewLeaseDuration") != "0" {
            "<errorCode>725</errorCode>".to_owned()
        } else if self.taken_port.is_some_and(|taken| port("NewExternalPort") == taken.to_string()) {
            "<errorCode>718</errorCode>".to_owned()
        } else {
            "<u:AddPortMappingResponse/>".to_owned()
        };
        self.knows.upnp.then(|| text.into_bytes())
    }
}

/// A mapper with its router, on virtual time.
struct Home {
    mapper: Mapper,
    router: Router,
    now: Instant,
    events: Vec<Event>,
    sent: usize,
}

impl Home {
    fn new(router: Router) -> Self {
        Self { mapper: Mapper::new(Protocols::ALL, [7; 32]), router, now: START, events: Vec::new(), sent: 0 }
    }

    fn joined(router: Router) -> Self {
        let mut home = Self::new(router);
        home.act(|mapper, now, out| mapper.set_gateway(Some(gateway()), now, out));
        home.pass(Duration::from_secs(20));
        home
    }

    fn act(&mut self, act: impl FnOnce(&mut Mapper, Instant, &mut Out)) {
        let mut out = Out::default();
        act(&mut self.mapper, self.now, &mut out);
        for _ in 0..100 {
            let done = std::mem::take(&mut out);
            self.events.extend(done.events);
            self.sent += done.transmits.len() + done.requests.len();
            if done.transmits.is_empty() && done.requests.is_empty() {
                return;
            }
            for (to, request) in done.transmits {
                if let Some((from, answer)) = self.router.answer(to, &request) {
                    self.mapper.handle_datagram(from, &answer, self.now, &mut out);
                }
            }
            for request in done.requests {
                let answer = self.router.http(&request);
                self.mapper.handle_http(request.id, answer.as_deref(), self.now, &mut out);
            }
        }
        panic!("it never ends");
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..10_000 {
            let Some(due) = self.mapper.next_timeout().map(|due| due.latest).filter(|due| *due <= end) else { break };
            self.router.epoch += due.since(self.now).as_secs() as u32;
            self.now = self.now.max(due);
            self.act(Mapper::handle_timeout);
        }
        self.router.epoch += end.since(self.now).as_secs() as u32;
        self.now = end;
    }

    fn mapped(&self) -> Option<(Protocol, u16)> {
        self.mapper.mapping().map(|mapping| {
            assert_eq!(*mapping.external.ip(), EXTERNAL);
            (mapping.protocol, mapping.external.port())
        })
    }
}

#[test]
fn whoever_the_router_answers_by_makes_the_mapping_and_the_best_wins() {
    for (knows, expected) in [
        ((true, true, true), Some(Protocol::Pcp)),
        ((false, true, true), Some(Protocol::Pmp)),
        ((false, false, true), Some(Protocol::Upnp)),
        ((true, false, false), Some(Protocol::Pcp)),
        ((false, false, false), None),
    ] {
        let home = Home::joined(router(knows.0, knows.1, knows.2));
        assert_eq!(home.mapped(), expected.map(|protocol| (protocol, 41641)), "{knows:?}");
    }
}

#[test]
fn a_network_without_any_is_hardly_asked() {
    let mut home = Home::joined(router(false, false, false));
    assert_eq!(home.mapper.seen(), Seen { pcp: Some(false), pmp: Some(false), upnp: Some(false) });
    let before = home.sent;
    home.pass(NOTHING_FOUND - Duration::from_secs(30));
    assert_eq!(home.sent, before);
    home.router.knows.upnp = true;
    home.pass(Duration::from_secs(120));
    assert_eq!(home.mapped(), Some((Protocol::Upnp, 41641)));
}

#[test]
fn a_mapping_is_renewed_at_half_its_life_and_goes_on_for_days() {
    for knows in [(true, false, false), (false, true, false), (false, false, true)] {
        let mut home = Home::joined(router(knows.0, knows.1, knows.2));
        home.events.clear();
        let before = home.sent;
        home.pass(Duration::from_secs(24 * 3600));
        assert!(home.mapped().is_some() && home.events.is_empty(), "{:?}", home.events);
        assert!((20..=72).contains(&(home.sent - before)), "{}", home.sent - before);
    }
}

#[test]
fn a_router_that_announces_its_restart_is_asked_again_at_once() {
    let mut home = Home::joined(router(false, true, false));
    home.pass(Duration::from_secs(60));
    home.router.epoch = 1;
    home.router.external = Ipv4Addr::new(203, 0, 113, 99);
    let announcement = home.router.announcement();
    home.act(|mapper, now, out| mapper.handle_datagram(pmp_from(), &announcement, now, out));
    assert_eq!(home.mapper.mapping().unwrap().external, "203.0.113.99:41641".parse().unwrap());
    // Repeated, as RFC 6886 wants it, it says nothing new.
    let before = home.sent;
    for _ in 0..9 {
        home.act(|mapper, now, out| mapper.handle_datagram(pmp_from(), &announcement, now, out));
    }
    assert_eq!(home.sent, before);
}

#[test]
fn a_router_that_forgot_and_cannot_any_more_loses_the_mapping_when_somebody_looks() {
    for knows in [(true, false, false), (false, true, false), (false, false, true)] {
        let mut home = Home::joined(router(knows.0, knows.1, knows.2));
        home.pass(REFRESH_MIN);
        home.router.knows = Protocols { pcp: false, pmp: false, upnp: false };
        home.act(Mapper::refresh);
        home.pass(Duration::from_secs(20));
        assert_eq!(home.mapped(), None, "{knows:?}");
        assert!(home.events.contains(&Event::MappingChanged(None)));
    }
}

#[test]
fn going_down_gives_the_mapping_back() {
    for knows in [(true, false, false), (false, true, false), (false, false, true)] {
        let mut home = Home::joined(router(knows.0, knows.1, knows.2));
        home.act(|mapper, _, out| mapper.release(out));
        assert!(home.router.released && home.mapped().is_none(), "{knows:?}");
        assert_eq!(home.mapper.next_timeout(), None);
    }
}

#[test]
fn lies_are_not_believed() {
    for external in ["0.0.0.0", "192.168.1.9", "10.0.0.4", "100.64.3.4", "127.0.0.1"] {
        for knows in [(true, false, false), (false, true, false), (false, false, true)] {
            let mut liar = router(knows.0, knows.1, knows.2);
            liar.external = external.parse().unwrap();
            let home = Home::joined(liar);
            assert_eq!(home.mapper.mapping(), None, "{external}");
            assert!(home.events.iter().any(|event| matches!(event, Event::Implausible(_))), "{external}");
        }
    }
}

#[test]
fn strangers_and_answers_to_other_questions_are_ignored() {
    let mut home = Home::new(router(true, true, true));
    let mut out = Out::default();
    home.mapper.set_gateway(Some(gateway()), START, &mut out);
    let requests = std::mem::take(&mut out).transmits;
    let stranger: SocketAddr = "192.168.1.66:5351".parse().unwrap();
    for (to, request) in &requests {
        if let Some((_, answer)) = home.router.answer(*to, request) {
            home.mapper.handle_datagram(stranger, &answer, START, &mut out);
        }
        let mut other_port = request.clone();
        if let Some(port) = other_port.get_mut(40..42).filter(|_| request.len() == 60) {
            port.copy_from_slice(&9u16.to_be_bytes());
        }
        if let Some((from, answer)) = home.router.answer(*to, &other_port).filter(|_| request.len() == 60) {
            home.mapper.handle_datagram(from, &answer, START, &mut out);
        }
    }
    let elsewhere = b"HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLocation: http://203.0.113.5/x\r\n\r\n";
    home.mapper.handle_datagram((ROUTER, 1900).into(), elsewhere, START, &mut out);
    assert_eq!(home.mapper.mapping(), None);
    assert!(out.requests.is_empty() && home.mapper.answers.page.is_none());
}

#[test]
fn upnp_routers_have_their_ways() {
    let mut odd = router(false, false, true);
    odd.only_permanent = true;
    assert_eq!(Home::joined(odd).mapped(), Some((Protocol::Upnp, 41641)));
    let mut busy = router(false, false, true);
    busy.taken_port = Some(41641);
    assert!(Home::joined(busy).mapped().is_some_and(|(_, port)| port != 41641 && port >= 1024));
}

#[test]
fn what_must_not_be_spoken_is_not() {
    let mut home = Home::joined(router(false, false, true));
    home.act(|mapper, now, out| mapper.set_protocols(Protocols { upnp: false, ..Protocols::ALL }, now, out));
    home.pass(Duration::from_secs(20));
    assert!(home.mapped().is_none() && home.router.released);
    let mut home = Home::new(router(true, true, true));
    home.act(|mapper, now, out| mapper.set_protocols(Protocols { pcp: false, pmp: false, upnp: false }, now, out));
    home.act(|mapper, now, out| mapper.set_gateway(Some(gateway()), now, out));
    assert_eq!((home.sent, home.mapper.next_timeout()), (0, None));
}

#[test]
fn another_network_is_another_router() {
    let mut home = Home::joined(router(true, false, false));
    home.act(|mapper, now, out| mapper.set_gateway(None, now, out));
    assert_eq!((home.mapped(), home.mapper.next_timeout()), (None, None));
    assert!(home.events.contains(&Event::MappingChanged(None)));
}

proptest! {
    #[test]
    fn whatever_a_router_says_nothing_spins(
        steps in prop::collection::vec((0u8..8, prop::collection::vec(any::<u8>(), 0..90)), 1..60),
        knows: (bool, bool, bool),
    ) {
        let mut home = Home::joined(router(knows.0, knows.1, knows.2));
        for (step, mut bytes) in steps {
            match step {
                0 => home.act(|mapper, now, out| mapper.set_gateway(Some(gateway()), now, out)),
                1 => home.act(Mapper::refresh),
                2 => home.act(|mapper, _, out| mapper.handle_http(HttpId(1), Some(&bytes), START, out)),
                3 => home.router.knows.pcp ^= true,
                4 => home.router.knows.upnp ^= true,
                _ => {
                    if let Some(first) = bytes.first_mut() {
                        *first = if step == 5 { 0 } else { 2 };
                    }
                    home.act(|mapper, now, out| mapper.handle_datagram(pmp_from(), &bytes, now, out));
                }
            }
            let before = home.sent;
            home.pass(Duration::from_secs(600));
            prop_assert!(home.sent - before < 60);
            prop_assert!(home.mapper.next_timeout().is_none_or(|due| due.latest > home.now));
        }
    }
}
