//! What arrivals say.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use wattle_world::{Arrival, Cargo, HostId, Mapped, MappingRefused, World};

/// A world without anything.
pub(crate) fn world() -> World {
    World::new([7; 32])
}

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Runs until nothing more happens.
pub(crate) fn run(world: &mut World) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    while let Some(at) = world.next_at() {
        arrivals.extend(world.next_arrival(at));
    }
    arrivals
}

pub(crate) fn run_for(world: &mut World, wait: Duration) -> Vec<Arrival> {
    let until = world.now() + wait;
    std::iter::from_fn(|| world.next_arrival(until)).collect()
}

/// Who got a datagram, and from where.
pub(crate) fn datagrams(arrivals: &[Arrival]) -> Vec<(HostId, SocketAddr)> {
    let one = |arrival: &Arrival| match arrival.cargo {
        Cargo::Datagram { from, .. } => Some((arrival.host, from)),
        _ => None,
    };
    arrivals.iter().filter_map(one).collect()
}

pub(crate) fn mapping(arrivals: &[Arrival]) -> Option<Result<Mapped, MappingRefused>> {
    arrivals.iter().find_map(|arrival| match arrival.cargo {
        Cargo::MappingAnswer { answer, .. } => Some(answer),
        _ => None,
    })
}

/// What happened to a host, without datagrams.
pub(crate) fn news(arrivals: Vec<Arrival>, host: HostId) -> Vec<Cargo> {
    let is_news = |arrival: &Arrival| arrival.host == host && !matches!(arrival.cargo, Cargo::Datagram { .. });
    arrivals.into_iter().filter(is_news).map(|arrival| arrival.cargo).collect()
}
