//! Against a real kernel, each in a network namespace of its own: a thread that leaves the namespace it came from
//! takes the new one with it when it ends, also when it panics. A veth stands for the TUN.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::TryStreamExt;
use nix::sched::{CloneFlags, unshare};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::RouteMessage;
use rtnetlink::packet_route::rule::RuleMessage;
use rtnetlink::{Handle, IpVersion, LinkUnspec, LinkVeth, RouteMessageBuilder};
use tokio::time::timeout;

use super::*;
use crate::rules::{RULES, Rule, TABLE};

/// A namespace with `wattle0`, and `lan0` for the world outside.
struct Lab {
    handle: Handle,
    tun: TunId,
    lan: u32,
}

/// Runs `test` in a fresh namespace; says why when it cannot.
fn in_own_namespace<F: Future<Output = ()>>(test: impl FnOnce(Lab) -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            println!("skipped: no network namespace of our own: {error}");
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            match Lab::build().await {
                Some(lab) => test(lab).await,
                None => println!("skipped: this kernel makes no veth interfaces"),
            }
        });
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn desired(routes: &[&str]) -> Desired {
    Desired {
        addresses: vec![net("100.64.0.1/32"), net("fd7a:115c:a1e0::1/128")],
        routes: routes.iter().map(|text| net(text)).collect(),
        throw: Vec::new(),
        mtu: 1280,
    }
}

impl Lab {
    async fn build() -> Option<Self> {
        let (connection, handle, _messages) = rtnetlink::new_connection().unwrap();
        tokio::spawn(connection);
        for (name, peer) in [("wattle0", "stub0"), ("lan0", "lan1")] {
            handle.link().add(LinkVeth::new(name, peer).build()).execute().await.ok()?;
        }
        let mut lab = Self { handle, tun: TunId { name: "wattle0".to_owned(), index: 0 }, lan: 0 };
        lab.tun.index = lab.index("wattle0").await;
        lab.lan = lab.index("lan0").await;
        for name in ["stub0", "lan1"] {
            lab.set_up(lab.index(name).await).await;
        }
        Some(lab)
    }

    async fn index(&self, name: &str) -> u32 {
        let mut links = self.handle.link().get().match_name(name).execute();
        links.try_next().await.unwrap().unwrap().header.index
    }

    async fn set_up(&self, index: u32) {
        self.handle.link().change(LinkUnspec::new_with_index(index).up().build()).execute().await.unwrap();
    }

    async fn addresses(&self) -> Vec<String> {
        let request = self.handle.address().get().set_link_index_filter(self.tun.index);
        let messages: Vec<_> = request.execute().try_collect().await.unwrap();
        let mut texts = Vec::new();
        for message in messages {
            for attribute in message.attributes {
                if let rtnetlink::packet_route::address::AddressAttribute::Address(address) = attribute
                    && !address.to_string().starts_with("fe80")
                {
                    texts.push(format!("{address}/{}", message.header.prefix_len));
                }
            }
        }
        texts.sort();
        texts
    }

    async fn routes(&self) -> Vec<RouteMessage> {
        let mut all = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut filter = RouteMessage::default();
            filter.header.address_family = family;
            let found: Vec<RouteMessage> = self.handle.route().get(filter).execute().try_collect().await.unwrap();
            all.extend(found.into_iter().filter(|route| route.header.table == TABLE));
        }
        all
    }

    /// Our rules, both families, as the kernel lists them.
    async fn rules(&self) -> Vec<RuleMessage> {
        let mut all = Vec::new();
        for version in [IpVersion::V4, IpVersion::V6] {
            let found: Vec<RuleMessage> = self.handle.rule().get(version).execute().try_collect().await.unwrap();
            all.extend(found.into_iter().filter(|rule| Rule::recognise(rule).is_some()));
        }
        all
    }

    async fn open(&self) -> (Host, mpsc::Receiver<HostEvent>) {
        Host::open(self.tun.clone()).await.unwrap()
    }
}

async fn event(events: &mut mpsc::Receiver<HostEvent>) -> HostEvent {
    timeout(Duration::from_secs(10), events.recv()).await.expect("an event within ten seconds").unwrap()
}

#[test]
fn applying_makes_addresses_routes_and_rules_and_clearing_takes_them_away() {
    in_own_namespace(|lab| async move {
        let (host, _events) = lab.open().await;
        host.apply(&desired(&["100.64.0.2/32", "10.9.0.0/16", "fd7a:115c:a1e0::2/128"])).await.unwrap();
        assert_eq!(lab.addresses().await, ["100.64.0.1/32", "fd7a:115c:a1e0::1/128"]);
        assert_eq!((lab.routes().await.len(), lab.rules().await.len()), (3, 2 * RULES.len()));
        host.clear().await.unwrap();
        assert_eq!(lab.addresses().await, [""; 0]);
        assert_eq!((lab.routes().await.len(), lab.rules().await.len()), (0, 0));
    });
}

#[test]
fn applying_again_changes_only_what_differs() {
    in_own_namespace(|lab| async move {
        let kernel = crate::kernel::Kernel::connect(lab.tun.clone()).unwrap();
        let mut want = desired(&["100.64.0.2/32", "0.0.0.0/0", "::/0"]);
        want.throw.push(net("192.168.0.0/24"));
        // Link, two addresses, four routes, eight rules.
        assert_eq!(kernel.reconcile(&want).await.unwrap(), 15);
        assert_eq!(kernel.reconcile(&want).await.unwrap(), 0);
        want.routes.push(net("100.64.0.3/32"));
        want.throw.clear();
        want.addresses.remove(1);
        want.mtu = 1300;
        assert_eq!(kernel.reconcile(&want).await.unwrap(), 4);
        assert_eq!(kernel.clear().await.unwrap(), 1 + 4 + 8 + 1);
        assert_eq!(kernel.clear().await.unwrap(), 0);
    });
}

#[test]
fn marked_packets_go_around_an_exit_node_and_others_into_it() {
    in_own_namespace(|lab| async move {
        let (host, _events) = lab.open().await;
        lab.handle.address().add(lab.lan, "192.0.2.10".parse().unwrap(), 24).execute().await.unwrap();
        lab.set_up(lab.lan).await;
        let gateway = RouteMessageBuilder::<std::net::Ipv4Addr>::new().gateway([192, 0, 2, 1].into());
        let gateway = gateway.output_interface(lab.lan);
        lab.handle.route().add(gateway.build()).execute().await.unwrap();
        host.apply(&desired(&["0.0.0.0/0"])).await.unwrap();
        let way = |mark: Option<u32>| {
            let question = RouteMessageBuilder::<std::net::Ipv4Addr>::new().destination_prefix([9, 9, 9, 9].into(), 32);
            let question = if let Some(mark) = mark { question.mark(mark) } else { question };
            let request = lab.handle.route().get(question.build());
            async move {
                let answer: RouteMessage = Box::pin(request.execute()).try_next().await.unwrap().unwrap();
                answer.attributes.into_iter().find_map(|attribute| match attribute {
                    rtnetlink::packet_route::route::RouteAttribute::Oif(index) => Some(index),
                    _ => None,
                })
            }
        };
        assert_eq!(way(None).await, Some(lab.tun.index));
        assert_eq!(way(Some(crate::BYPASS_MARK)).await, Some(lab.lan));
        let network = host.network().await.unwrap();
        assert_eq!(network.default_v4.unwrap().interface, Some(lab.lan), "the exit node is not the host's network");
    });
}

#[test]
fn what_somebody_deletes_comes_back() {
    in_own_namespace(|lab| async move {
        let (host, mut events) = lab.open().await;
        host.apply(&desired(&["100.64.0.2/32"])).await.unwrap();
        let rules = lab.rules().await;
        for rule in rules.clone() {
            lab.handle.rule().del(rule).execute().await.unwrap();
        }
        assert_eq!(event(&mut events).await, HostEvent::Restored { changes: rules.len() });
        assert_eq!(lab.rules().await.len(), rules.len());
        for route in lab.routes().await {
            lab.handle.route().del(route).execute().await.unwrap();
        }
        assert_eq!(event(&mut events).await, HostEvent::Restored { changes: 1 });
        assert_eq!(lab.routes().await.len(), 1);
        let down = LinkUnspec::new_with_index(lab.tun.index).down().build();
        lab.handle.link().change(down).execute().await.unwrap();
        assert!(matches!(event(&mut events).await, HostEvent::Restored { changes: 2.. }));
        assert_eq!((lab.routes().await.len(), lab.addresses().await.len()), (1, 2));
    });
}

#[test]
fn another_network_is_told_of_once_and_our_own_doings_are_not() {
    in_own_namespace(|lab| async move {
        let (host, mut events) = lab.open().await;
        host.apply(&desired(&["100.64.0.2/32", "0.0.0.0/0"])).await.unwrap();
        lab.handle.address().add(lab.lan, "192.0.2.10".parse().unwrap(), 24).execute().await.unwrap();
        lab.set_up(lab.lan).await;
        let HostEvent::NetworkChanged { network, .. } = event(&mut events).await else {
            panic!("nobody deleted anything")
        };
        assert_eq!(network.addresses().collect::<Vec<_>>(), ["192.0.2.10".parse::<IpAddr>().unwrap()]);
        assert!(!network.is_online());
        let gateway = RouteMessageBuilder::<std::net::Ipv4Addr>::new().gateway([192, 0, 2, 1].into());
        let gateway = gateway.output_interface(lab.lan);
        lab.handle.route().add(gateway.build()).execute().await.unwrap();
        let HostEvent::NetworkChanged { network, .. } = event(&mut events).await else {
            panic!("nobody deleted anything")
        };
        let way = network.default_v4.unwrap();
        assert_eq!((way.interface, way.gateway), (Some(lab.lan), Some("192.0.2.1".parse().unwrap())));
        assert_eq!(host.network().await.unwrap(), network);
        assert_eq!(network.default_interface().unwrap().name, "lan0");
        // Away and back before anybody looks: it may be another network with the same numbers.
        let address = "192.0.2.10".parse().unwrap();
        let listed: Vec<_> =
            lab.handle.address().get().set_link_index_filter(lab.lan).execute().try_collect().await.unwrap();
        let message = listed.into_iter().find(|message| message.header.prefix_len == 24).unwrap();
        lab.handle.address().del(message).execute().await.unwrap();
        lab.handle.address().add(lab.lan, address, 24).execute().await.unwrap();
        let HostEvent::NetworkChanged { is_break, .. } = event(&mut events).await else {
            panic!("nobody deleted ours")
        };
        assert!(is_break);
    });
}

#[test]
fn the_traces_of_a_crashed_run_are_removed_at_the_next_start() {
    in_own_namespace(|lab| async move {
        let crashed = crate::kernel::Kernel::connect(lab.tun.clone()).unwrap();
        crashed.reconcile(&desired(&["100.64.0.2/32"])).await.unwrap();
        let (_host, _events) = lab.open().await;
        assert_eq!((lab.routes().await.len(), lab.rules().await.len()), (0, 0));
    });
}

#[test]
fn dropping_the_host_takes_its_traces_away() {
    in_own_namespace(|lab| async move {
        let (host, mut events) = lab.open().await;
        host.apply(&desired(&["100.64.0.2/32"])).await.unwrap();
        drop(host);
        // The keeper drops its end of the events when it is done.
        while timeout(Duration::from_secs(10), events.recv()).await.unwrap().is_some() {}
        assert_eq!((lab.routes().await.len(), lab.rules().await.len()), (0, 0));
    });
}

#[test]
fn a_missing_interface_is_named() {
    in_own_namespace(|lab| async move {
        let (host, _events) = Host::open(TunId { name: "wattle9".to_owned(), index: lab.lan + 1000 }).await.unwrap();
        let outcome = host.apply(&desired(&[])).await;
        assert!(matches!(outcome, Err(HostError::NoInterface { .. })), "{outcome:?}");
    });
}
