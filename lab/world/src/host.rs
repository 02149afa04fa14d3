//! Hosts: interfaces with addresses, and whether anybody is at home.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use wattle_time::Instant;

use crate::conditions::Link;
use crate::{Direction, SiteId};

/// Names a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub(crate) usize);

/// Names an interface of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceId(pub(crate) u32);

#[derive(Debug)]
pub(crate) struct Host {
    /// In the order of preference.
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) power: Power,
    pub(crate) listening: BTreeSet<u16>,
    access_out: Link,
    access_in: Link,
    next_interface: u32,
}

#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) id: InterfaceId,
    pub(crate) site: Option<SiteId>,
    pub(crate) addresses: Vec<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    Awake,
    Asleep {
        since: Instant,
    },
    /// The process is gone; the kernel is there and says so.
    Crashed,
    Off,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self {
            interfaces: Vec::new(),
            power: Power::Awake,
            listening: BTreeSet::new(),
            access_out: Link::PERFECT,
            access_in: Link::PERFECT,
            next_interface: 0,
        }
    }

    pub(crate) fn access(&self, direction: Direction) -> &Link {
        match direction {
            Direction::Out => &self.access_out,
            Direction::In => &self.access_in,
        }
    }

    pub(crate) fn access_mut(&mut self, direction: Direction) -> &mut Link {
        match direction {
            Direction::Out => &mut self.access_out,
            Direction::In => &mut self.access_in,
        }
    }

    pub(crate) fn attach(&mut self, site: Option<SiteId>, addresses: Vec<IpAddr>) -> InterfaceId {
        let id = InterfaceId(self.next_interface);
        self.next_interface += 1;
        self.interfaces.push(Interface { id, site, addresses });
        id
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.power == Power::Awake
    }

    /// Whether anything at all is there to answer.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.power, Power::Awake | Power::Crashed)
    }

    /// The network on which an address is the host's.
    pub(crate) fn site_of(&self, address: IpAddr) -> Option<Option<SiteId>> {
        self.interfaces.iter().find(|interface| interface.addresses.contains(&address)).map(|interface| interface.site)
    }

    pub(crate) fn first_v4(&self) -> Option<Ipv4Addr> {
        self.addresses().find_map(|(_, address)| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = (InterfaceId, IpAddr)> {
        self.interfaces.iter().flat_map(|interface| interface.addresses.iter().map(|address| (interface.id, *address)))
    }
}

impl Interface {
    /// Its best address for sending to another.
    pub(crate) fn source_for(&self, to: IpAddr) -> Option<IpAddr> {
        let fits = |address: &&IpAddr| address.is_ipv4() == to.is_ipv4();
        let same_scope = |address: &&IpAddr| is_link_local(**address) == is_link_local(to);
        let mut fitting = self.addresses.iter().filter(fits);
        fitting.clone().find(same_scope).or_else(|| fitting.next()).copied()
    }
}

pub(crate) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
