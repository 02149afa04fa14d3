//! Whole runs, by hand.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use wattle_netmap::{DerpNode, DerpRegion};

use super::*;

fn at(ms: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(1000) + Duration::from_millis(ms)
}

fn server(region: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, region as u8], 3478))
}

/// Regions 1, 2, 3 with one server each.
fn map() -> DerpMap {
    let region = |number: u16| {
        let id = RegionId(number);
        let ipv4 = Some(Some(server(number).ip()));
        let node = DerpNode { region: id, ipv4, ipv6: Some(None), stun_port: Some(3478), ..DerpNode::default() };
        (id, DerpRegion { id, nodes: vec![node], ..DerpRegion::default() })
    };
    DerpMap { regions: (1..=3).map(region).collect(), ..DerpMap::default() }
}

fn local() -> LocalNetwork {
    LocalNetwork { addresses: vec!["192.168.1.5".parse().unwrap()], port_v4: 41641, port_v6: None }
}

/// A first run under way, and its requests.
fn started(map: &DerpMap) -> (Netcheck, Out) {
    let mut netcheck = Netcheck::new(NodePublic::from_bytes([5; 32]), [6; 32], at(0));
    let mut out = Out::default();
    netcheck.set_control_connected(true);
    netcheck.set_derp_map(map, at(0), &mut out);
    assert!(out.transmits.is_empty() && out.events.is_empty(), "there is no socket yet");
    netcheck.set_local(local(), at(0), &mut out);
    (netcheck, out)
}

/// After a first run that was answered.
fn settled(map: &DerpMap) -> Netcheck {
    let (mut netcheck, out) = started(map);
    answer(&mut netcheck, &out, 0, same);
    run_timers(&mut netcheck, at(900));
    assert!(netcheck.report().is_some());
    netcheck
}

/// Answers all requests among these: region n after n times ten milliseconds.
fn answer(netcheck: &mut Netcheck, out: &Out, start: u64, seen: impl Fn(SocketAddr) -> SocketAddr) -> Out {
    let mut answers = Out::default();
    let mut requests: Vec<_> = out.transmits.iter().collect();
    requests.sort_by_key(|transmit| transmit.to);
    for transmit in requests {
        let IpAddr::V4(ip) = transmit.to.ip() else { panic!("no IPv6 here") };
        let wait = u64::from(ip.octets()[3]) * 10;
        let mut response = Vec::new();
        stun::encode_response(stun::decode_request(&transmit.packet).unwrap(), seen(transmit.to), &mut response);
        netcheck.handle_stun(transmit.to, &response, at(start + wait), &mut answers);
    }
    answers
}

fn same(_: SocketAddr) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 4000))
}

/// Lets timers fire one after the other until `until`.
fn run_timers(netcheck: &mut Netcheck, until: Instant) -> Out {
    let mut out = Out::default();
    while let Some(deadline) = netcheck.next_timeout().filter(|deadline| deadline.latest <= until) {
        netcheck.handle_timeout(deadline.latest, &mut out);
    }
    out
}

#[test]
fn a_first_run_finds_endpoints_and_a_home() {
    let (mut netcheck, out) = started(&map());
    assert_eq!(out.transmits.len(), 3);
    let mut events = answer(&mut netcheck, &out, 0, same).events;
    events.extend(run_timers(&mut netcheck, at(900)).events);
    let expected =
        [Event::HomeChanged(Some(RegionId(1))), Event::ReportReady, Event::EndpointsRefreshed { changed: true }];
    assert_eq!(events, expected);
    let report = netcheck.report().unwrap();
    assert!(report.udp && report.ipv4 && !report.ipv6);
    assert_eq!(report.mapping_varies, Some(false));
    assert_eq!(report.region_latencies[&RegionId(2)], Duration::from_millis(20));
    let endpoints: Vec<String> = netcheck.endpoints().iter().map(|endpoint| endpoint.address.to_string()).collect();
    assert_eq!(endpoints, ["192.0.2.7:4000", "192.168.1.5:41641"]);
    assert_eq!(netcheck.next_timeout(), None, "without traffic nothing more happens");
}

#[test]
fn a_family_that_answers_late_counts_and_is_asked_again() {
    let server_v6: SocketAddr = "[2001:db8::1]:3478".parse().unwrap();
    let mut map = map();
    map.regions.retain(|id, _| *id == RegionId(1));
    map.regions.get_mut(&RegionId(1)).unwrap().nodes[0].ipv6 = Some(Some(server_v6.ip()));
    let mut netcheck = Netcheck::new(NodePublic::from_bytes([5; 32]), [6; 32], at(0));
    let mut out = Out::default();
    let addresses = ["192.168.1.5", "2001:db8::5"].map(|text| text.parse().unwrap()).to_vec();
    netcheck.set_derp_map(&map, at(0), &mut out);
    netcheck.set_local(LocalNetwork { addresses, port_v4: 41641, port_v6: Some(41641) }, at(0), &mut out);
    let say = |netcheck: &mut Netcheck, transmit: &Transmit, ms, out: &mut Out| {
        let seen = if transmit.to == server_v6 { "[2001:db8::5]:41641".parse().unwrap() } else { same(transmit.to) };
        let mut response = Vec::new();
        stun::encode_response(stun::decode_request(&transmit.packet).unwrap(), seen, &mut response);
        netcheck.handle_stun(transmit.to, &response, at(ms), out)
    };
    let [v4, v6] = [server(1), server_v6]
        .map(|server| out.transmits.iter().find(|transmit| transmit.to == server).cloned().unwrap());
    assert!(say(&mut netcheck, &v6, 5, &mut out));
    let rest = run_timers(&mut netcheck, at(900));
    assert!(netcheck.report().unwrap().ipv6 && !netcheck.report().unwrap().ipv4, "the run ended without IPv4");
    let again: Vec<_> = rest.transmits.iter().map(|transmit| transmit.to).collect();
    assert_eq!(again, [server(1), server(1)], "only what did not answer is asked again");

    let mut out = Out::default();
    assert!(say(&mut netcheck, &v4, 1000, &mut out));
    assert_eq!(out.events, [Event::ReportReady, Event::EndpointsRefreshed { changed: true }]);
    assert!(netcheck.report().unwrap().ipv4 && netcheck.endpoints().iter().any(|known| known.address == same(v4.to)));
    assert!(!say(&mut netcheck, &rest.transmits[0], 6000, &mut out), "it is over");
    assert_eq!(netcheck.next_timeout(), None);
}

#[test]
fn a_mapping_that_varies_is_noticed() {
    let (mut netcheck, out) = started(&map());
    answer(&mut netcheck, &out, 0, |server| {
        let IpAddr::V4(ip) = server.ip() else { panic!("no IPv6 here") };
        SocketAddr::from((Ipv4Addr::new(192, 0, 2, 7), 4000 + u16::from(ip.octets()[3])))
    });
    run_timers(&mut netcheck, at(900));
    assert_eq!(netcheck.report().unwrap().mapping_varies, Some(true));
}

#[test]
fn with_udp_blocked_regions_are_measured_over_https() {
    let (mut netcheck, _unanswered) = started(&map());
    let out = run_timers(&mut netcheck, at(3000));
    let asked = [1, 2, 3].map(|region| Event::MeasureHttps { region: RegionId(region) });
    assert_eq!(out.events, asked);
    let mut out = Out::default();
    netcheck.handle_https(RegionId(1), None, at(3100), &mut out);
    netcheck.handle_https(RegionId(2), Some(Duration::from_millis(40)), at(3200), &mut out);
    assert_eq!(out.events, []);
    netcheck.handle_https(RegionId(3), Some(Duration::from_millis(90)), at(3300), &mut out);
    assert_eq!(out.events[0], Event::HomeChanged(Some(RegionId(2))));
    assert!(!netcheck.report().unwrap().udp);
}

#[test]
fn names_are_looked_up_and_then_asked() {
    let mut map = map();
    for region in map.regions.values_mut() {
        region.nodes[0].ipv4 = None;
        region.nodes[0].host_name = format!("relay{}.example", region.id.0);
    }
    let (mut netcheck, out) = started(&map);
    assert!(out.transmits.is_empty());
    assert_eq!(out.events[0], Event::Resolve { host: "relay1.example".to_owned() });
    let mut out = Out::default();
    netcheck.handle_resolved("relay1.example", &[server(1).ip()], at(20), &mut out);
    assert_eq!(out.transmits[0].to, server(1));
    assert_eq!(out.events, [], "nothing is looked up twice");
}

#[test]
fn while_there_is_traffic_runs_follow_each_other_before_a_nat_forgets() {
    let mut netcheck = settled(&map());
    netcheck.note_activity(at(1000));
    let deadline = netcheck.next_timeout().unwrap();
    assert!(
        deadline.earliest >= at(1000) + PERIOD_MIN && deadline.latest <= at(1000) + PERIOD_MAX + Duration::from_secs(1)
    );
    let mut out = Out::default();
    netcheck.handle_timeout(deadline.latest, &mut out);
    assert!(!out.transmits.is_empty());
    let mut quiet = settled(&map());
    quiet.note_activity(at(1000));
    let later = at(1000) + Duration::from_secs(60);
    let mut out = Out::default();
    quiet.handle_timeout(later, &mut out);
    assert!(out.transmits.is_empty(), "the traffic has ended");
    assert_eq!(quiet.next_timeout(), None);
}

#[test]
fn without_any_answer_it_is_tried_again_and_less_and_less() {
    let (mut netcheck, _unanswered) = started(&map());
    let mut starts = Vec::new();
    while starts.len() < 8 {
        let deadline = netcheck.next_timeout().unwrap();
        let mut out = Out::default();
        netcheck.handle_timeout(deadline.latest, &mut out);
        if deadline.why.starts_with("netcheck again") {
            starts.push(deadline.latest);
        }
        for event in out.events {
            if let Event::MeasureHttps { region } = event {
                netcheck.handle_https(region, None, deadline.latest, &mut Out::default());
            }
        }
    }
    let waits: Vec<u64> = starts.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert!(waits.is_sorted() && waits[6] >= 60, "{waits:?}");
    assert!(netcheck.home().is_some(), "some region is home meanwhile");
}

#[test]
fn answers_of_strangers_do_not_count() {
    let (mut netcheck, out) = started(&map());
    let mut answers = Out::default();
    let transmit = &out.transmits[0];
    let mut response = Vec::new();
    stun::encode_response(stun::decode_request(&transmit.packet).unwrap(), same(transmit.to), &mut response);
    assert!(!netcheck.handle_stun(server(9), &response, at(5), &mut answers));
    assert!(netcheck.handle_stun(transmit.to, &response, at(6), &mut answers));
    assert!(!netcheck.handle_stun(transmit.to, &response, at(7), &mut answers), "and none counts twice");
}

#[test]
fn a_home_that_is_down_is_left_at_once() {
    let mut netcheck = settled(&map());
    let mut out = Out::default();
    netcheck.note_home_down(RegionId(2), at(2000), &mut out);
    assert_eq!(out.events, [], "it is not the home");
    netcheck.note_home_down(RegionId(1), at(2000), &mut out);
    assert_eq!(out.events, [Event::HomeChanged(Some(RegionId(2)))]);
    assert_eq!(out.transmits.len(), 3, "all regions are measured anew");
}

#[test]
fn a_port_mapping_is_an_endpoint_and_in_the_report() {
    let mut netcheck = settled(&map());
    let mut out = Out::default();
    let external: SocketAddr = "192.0.2.7:7000".parse().unwrap();
    let protocols = PortMapping { pcp: Some(true), ..PortMapping::default() };
    netcheck.set_port_mapping(Some(external), protocols, at(1000), &mut out);
    assert_eq!(out.events, [Event::EndpointsRefreshed { changed: true }]);
    assert_eq!(netcheck.endpoints()[0].address, external);
    assert_eq!(netcheck.report().map(|report| (report.mapped, report.port_mapping)), Some((Some(external), protocols)));
    netcheck.set_port_mapping(None, protocols, at(2000), &mut out);
    assert_ne!(netcheck.endpoints()[0].address, external);
}

#[test]
fn a_second_wish_within_a_second_waits() {
    let mut netcheck = settled(&map());
    let mut out = Out::default();
    netcheck.refresh(at(990), &mut out);
    assert!(out.transmits.is_empty());
    let out = run_timers(&mut netcheck, at(1000));
    assert!(!out.transmits.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_a_run_ends(
        bytes in prop::collection::vec(any::<Vec<u8>>(), 0..10),
        seen in prop::collection::vec(any::<SocketAddr>(), 0..40),
        waits in prop::collection::vec(0u64..2000, 40),
    ) {
        let (mut netcheck, mut out) = started(&map());
        let mut now = at(0);
        for packet in bytes {
            netcheck.handle_stun(server(1), &packet, now, &mut out);
        }
        for (seen, wait) in seen.into_iter().zip(waits) {
            now = now + Duration::from_millis(wait);
            if let Some(transmit) = out.transmits.pop() {
                let mut response = Vec::new();
                stun::encode_response(stun::decode_request(&transmit.packet).unwrap(), seen, &mut response);
                netcheck.handle_stun(transmit.to, &response, now, &mut out);
            }
            netcheck.refresh(now, &mut out);
            netcheck.handle_timeout(now, &mut out);
            prop_assert!(netcheck.endpoints().len() <= 64);
            prop_assert!(netcheck.next_timeout().is_none_or(|deadline| deadline.latest > now));
        }
        run_timers(&mut netcheck, now + Duration::from_secs(20));
        prop_assert!(netcheck.report().is_some());
    }
}
