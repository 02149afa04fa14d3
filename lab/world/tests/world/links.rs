//! What links do to datagrams.

use std::time::Duration;

use super::told::{at, datagrams, ip, news, run, world};
use wattle_world::{Blockade, Cargo, Direction, Fate, HostId, Kinds, Link, TooBig, World};

fn pair() -> (World, HostId, HostId) {
    let mut world = world();
    let [a, b] = ["198.51.100.1", "198.51.100.2"].map(|address| world.add_host(ip(address), None));
    (world, a, b)
}

fn send(world: &mut World, from: HostId, bytes: Vec<u8>) {
    world.send(from, 1, at("198.51.100.2:2"), bytes);
}

#[test]
fn jitter_puts_datagrams_out_of_order() {
    let (mut world, a, b) = pair();
    world.access_mut(b, Direction::In).jitter = Duration::from_millis(20);
    (0..50).for_each(|number| send(&mut world, a, vec![number]));
    let order: Vec<u8> = run(&mut world)
        .into_iter()
        .filter_map(|arrival| match arrival.cargo {
            Cargo::Datagram { bytes, .. } => bytes.first().copied(),
            _ => None,
        })
        .collect();
    assert_eq!(order.len(), 50);
    assert!(!order.is_sorted());
}

#[test]
fn loss_and_copies_are_about_as_often_as_said_and_one_way_only() {
    let (mut world, a, b) = pair();
    *world.pair_mut(a, b) = Link { lost_per_thousand: 300, duplicated_per_thousand: 100, ..Link::PERFECT };
    for _ in 0..2000 {
        send(&mut world, a, vec![1]);
        world.send(b, 2, at("198.51.100.1:1"), vec![1]);
    }
    let arrivals = datagrams(&run(&mut world));
    let (lost, copies) = (world.trace().count(Fate::Lost), world.trace().duplicates());
    assert!((500..700).contains(&lost), "{lost}");
    assert!((100..180).contains(&copies), "{copies}");
    assert_eq!(arrivals.iter().filter(|(host, _)| *host == a).count(), 2000);
    assert_eq!(arrivals.len() as u64, 4000 - lost + copies);
}

#[test]
fn large_datagrams_vanish_are_told_of_or_pass_in_pieces() {
    for (too_big, arrives, is_told) in
        [(TooBig::BlackHole, false, false), (TooBig::Tell, false, true), (TooBig::Fragment, true, false)]
    {
        let (mut world, a, b) = pair();
        *world.access_mut(b, Direction::In) = Link { mtu: 1280, too_big, ..Link::PERFECT };
        send(&mut world, a, vec![0; 1280 - 28]);
        assert_eq!(datagrams(&run(&mut world)).len(), 1, "it just fits");
        send(&mut world, a, vec![0; 1280 - 27]);
        let arrivals = run(&mut world);
        assert_eq!(datagrams(&arrivals).len(), usize::from(arrives), "{too_big:?}");
        let told = Cargo::TooBig { to: at("198.51.100.2:2"), port: 1, mtu: 1280 };
        assert_eq!(news(arrivals, a), if is_told { vec![told] } else { vec![] }, "{too_big:?}");
    }
}

#[test]
fn routers_do_not_fragment_ipv6() {
    let mut world = world();
    let [a, b] = ["2001:db8::1", "2001:db8::2"].map(|address| world.add_host(ip(address), None));
    *world.access_mut(b, Direction::In) = Link { mtu: 1280, too_big: TooBig::Fragment, ..Link::PERFECT };
    world.send(a, 1, at("[2001:db8::2]:2"), vec![0; 1280 - 47]);
    run(&mut world);
    assert_eq!(world.trace().count(Fate::ToldTooBig), 1);
}

#[test]
fn a_blockade_drops_what_it_is_made_for() {
    let data = [4, 0, 0, 0, 1].to_vec();
    let disco = "TS💬..".as_bytes().to_vec();
    for (blockade, data_passes, disco_passes) in [
        (Blockade::None, true, true),
        (Blockade::AllDatagrams, false, false),
        (Blockade::Kinds(Kinds::DATA.and(Kinds::HANDSHAKES)), false, true),
        (Blockade::AllButKinds(Kinds::DATA), true, false),
        (Blockade::AllBut(&[4, 0]), true, false),
        (Blockade::LongerThan(5), true, false),
    ] {
        let (mut world, a, b) = pair();
        world.set_blockade(b, blockade);
        send(&mut world, a, data.clone());
        assert_eq!(run(&mut world).len(), usize::from(data_passes), "{blockade:?}");
        send(&mut world, a, disco.clone());
        assert_eq!(run(&mut world).len(), usize::from(disco_passes), "{blockade:?}");
    }
}
