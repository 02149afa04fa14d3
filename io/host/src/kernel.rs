//! The kernel's side: reading what is there and making the differences. Knows netlink; decides nothing.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::{Stream, StreamExt, TryStreamExt};
use ipnet::IpNet;
use nix::errno::Errno;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::{Handle, IpVersion, LinkUnspec};

use crate::limits::RULE_COPIES;
use crate::rules::{BYPASS_MARK, RULES, Rule, TABLE};
use crate::{DefaultRoute, Desired, HostError, Interface, Network, TunId};

/// Addresses on the Internet that stand for all of it when we ask for the way there (RFC 5737, RFC 3849: nobody's).
const SOMEWHERE_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const SOMEWHERE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// A route of our table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    prefix: IpNet,
    /// Not into the tunnel: go on with the next rule.
    throw: bool,
}

/// A netlink connection, for one TUN.
pub(crate) struct Kernel {
    handle: Handle,
    tun: TunId,
}

impl Kernel {
    pub(crate) fn connect(tun: TunId) -> Result<Self, HostError> {
        // Strict: the kernel filters what it lists, so that a host with a full Internet table costs nothing.
        let (connection, handle, _messages) =
            rtnetlink::new_connection_with_strict_check().map_err(HostError::Netlink)?;
        tokio::spawn(connection);
        Ok(Self { handle, tun })
    }

    /// Makes the host as desired. How many differences there were.
    pub(crate) async fn reconcile(&self, desired: &Desired) -> Result<usize, HostError> {
        let ipv6 = self.has_ipv6();
        let mut changes = self.set_link(Some(desired.mtu)).await?;
        changes += self.set_addresses(desired.addresses.iter().filter(|net| ipv6 || net.addr().is_ipv4())).await?;
        let tunnel = desired.routes.iter().map(|net| Route { prefix: net.trunc(), throw: false });
        // A throw for the very prefix that leads into the tunnel would shadow it.
        let throw = desired.throw.iter().filter(|net| !desired.routes.contains(net));
        let throw = throw.map(|net| Route { prefix: net.trunc(), throw: true });
        for (family, v4) in [(AddressFamily::Inet, true), (AddressFamily::Inet6, false)] {
            if !v4 && !ipv6 {
                continue;
            }
            let wanted = tunnel.clone().chain(throw.clone()).filter(|route| route.prefix.addr().is_ipv4() == v4);
            changes += self.set_routes(family, wanted).await?;
            changes += self.set_rules(family, true).await?;
        }
        Ok(changes)
    }

    /// Takes everything away. The rules first: from then on no packet looks for the tunnel.
    pub(crate) async fn clear(&self) -> Result<usize, HostError> {
        let mut changes = 0;
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            match self.set_rules(family, false).await {
                // A kernel without IPv6.
                Err(HostError::Refused { source, .. }) if family == AddressFamily::Inet6 && is_no_family(&source) => {
                    continue;
                }
                outcome => changes += outcome?,
            }
            changes += self.set_routes(family, std::iter::empty()).await?;
        }
        match self.clear_interface().await {
            Err(HostError::NoInterface { .. }) => Ok(changes),
            outcome => Ok(changes + outcome?),
        }
    }

    async fn clear_interface(&self) -> Result<usize, HostError> {
        Ok(self.set_addresses(std::iter::empty()).await? + self.set_link(None).await?)
    }

    /// The network around us.
    pub(crate) async fn network(&self) -> Result<Network, HostError> {
        let mut interfaces = BTreeMap::new();
        let mut links = self.handle.link().get().execute();
        while let Some(link) = self.next(&mut links, "list the interfaces").await? {
            let (index, flags) = (link.header.index, link.header.flags);
            if index != self.tun.index && flags.contains(LinkFlags::Up) && !flags.contains(LinkFlags::Loopback) {
                let name = link.attributes.into_iter().find_map(|attribute| match attribute {
                    LinkAttribute::IfName(name) => Some(name),
                    _ => None,
                });
                let name = name.unwrap_or_default();
                interfaces.insert(index, Interface { index, name, addresses: Vec::new() });
            }
        }
        for (index, net, _) in self.addresses(None).await? {
            if let Some(interface) = interfaces.get_mut(&index) {
                interface.addresses.push(net.addr());
            }
        }
        let (v4, v6) = (self.way_to(SOMEWHERE_V4.into()).await, self.way_to(SOMEWHERE_V6.into()).await);
        Ok(Network::new(interfaces.into_values(), v4, v6))
    }

    fn has_ipv6(&self) -> bool {
        let switch = format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", self.tun.name);
        std::fs::read_to_string(switch).is_ok_and(|value| value.trim() == "0")
    }

    /// Up with this MTU, or down.
    async fn set_link(&self, mtu: Option<u16>) -> Result<usize, HostError> {
        const STEP: &str = "set the interface up or down";
        let mut links = self.handle.link().get().match_index(self.tun.index).execute();
        let link = self.next(&mut links, STEP).await?.ok_or_else(|| self.no_interface())?;
        let is_up = link.header.flags.contains(LinkFlags::Up);
        let mtu_now = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Mtu(mtu) => Some(*mtu),
            _ => None,
        });
        let change = LinkUnspec::new_with_index(self.tun.index);
        let change = match mtu.map(u32::from) {
            Some(mtu) if !is_up || mtu_now != Some(mtu) => change.mtu(mtu).up(),
            None if is_up => change.down(),
            Some(_) | None => return Ok(0),
        };
        let changed = self.handle.link().change(change.build()).execute().await;
        changed.map_err(|error| self.explain(STEP, error))?;
        Ok(1)
    }

    async fn set_addresses(&self, wanted: impl Iterator<Item = &IpNet>) -> Result<usize, HostError> {
        let mut present: BTreeMap<IpNet, AddressMessage> = BTreeMap::new();
        for (_, net, message) in self.addresses(Some(self.tun.index)).await? {
            // The kernel's own link-local address stays.
            if !matches!(net.addr(), IpAddr::V6(address) if address.is_unicast_link_local()) {
                present.insert(net, message);
            }
        }
        let mut changes = 0;
        for net in wanted {
            if present.remove(net).is_none() {
                let adding = self.handle.address().add(self.tun.index, net.addr(), net.prefix_len());
                self.settle("add an address", adding.execute().await, Errno::EEXIST)?;
                changes += 1;
            }
        }
        for message in present.into_values() {
            let deleting = self.handle.address().del(message);
            self.settle("remove an address", deleting.execute().await, Errno::EADDRNOTAVAIL)?;
            changes += 1;
        }
        Ok(changes)
    }

    /// Interface, address and the message that tells of it.
    async fn addresses(&self, of: Option<u32>) -> Result<Vec<(u32, IpNet, AddressMessage)>, HostError> {
        let mut request = self.handle.address().get();
        if let Some(index) = of {
            request = request.set_link_index_filter(index);
        }
        let mut messages = std::pin::pin!(request.execute());
        let mut found = Vec::new();
        while let Some(message) = self.next(&mut messages, "list the addresses").await? {
            let (mut local, mut address) = (None, None);
            for attribute in &message.attributes {
                match attribute {
                    // On point-to-point links the one is ours and the other the peer's.
                    AddressAttribute::Local(own) => local = Some(*own),
                    AddressAttribute::Address(either) => address = Some(*either),
                    _ => {}
                }
            }
            if let Some(own) = local.or(address)
                && let Ok(net) = IpNet::new(own, message.header.prefix_len)
            {
                found.push((message.header.index, net, message));
            }
        }
        Ok(found)
    }

    async fn set_routes(&self, family: AddressFamily, wanted: impl Iterator<Item = Route>) -> Result<usize, HostError> {
        let mut filter = RouteMessage::default();
        filter.header.address_family = family;
        filter.header.table = TABLE;
        let mut present = BTreeMap::new();
        let mut foreign = Vec::new();
        let mut messages = std::pin::pin!(self.handle.route().get(filter).execute());
        loop {
            match self.next(&mut messages, "list the routes").await {
                Ok(Some(message)) if message.header.table != TABLE => {}
                Ok(Some(message)) => match self.recognise(&message) {
                    Some(route) => drop(present.insert(route, message)),
                    None => foreign.push(message),
                },
                Ok(None) => break,
                // With strict filtering, a table that never had a route does not exist.
                Err(HostError::Refused { source, .. }) if source.raw_os_error() == Some(nix::libc::ENOENT) => break,
                Err(error) => return Err(error),
            }
        }
        let mut changes = 0;
        for route in wanted {
            if present.remove(&route).is_none() {
                let adding = self.handle.route().add(self.route_message(route));
                self.settle("add a route", adding.execute().await, Errno::EEXIST)?;
                changes += 1;
            }
        }
        for message in present.into_values().chain(foreign) {
            let deleting = self.handle.route().del(message);
            self.settle("remove a route", deleting.execute().await, Errno::ESRCH)?;
            changes += 1;
        }
        Ok(changes)
    }

    fn route_message(&self, route: Route) -> RouteMessage {
        let mut message = RouteMessage::default();
        let prefix = route.prefix;
        message.header = RouteHeader {
            address_family: if prefix.addr().is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 },
            destination_prefix_length: prefix.prefix_len(),
            table: TABLE,
            protocol: RouteProtocol::Static,
            scope: if route.throw { RouteScope::Universe } else { RouteScope::Link },
            kind: if route.throw { RouteType::Throw } else { RouteType::Unicast },
            ..RouteHeader::default()
        };
        message.attributes.push(RouteAttribute::Destination(prefix.addr().into()));
        if !route.throw {
            message.attributes.push(RouteAttribute::Oif(self.tun.index));
        }
        message
    }

    /// The route of ours that a route of our table is; `None`: nothing that we made.
    fn recognise(&self, message: &RouteMessage) -> Option<Route> {
        let (mut destination, mut interface) = (None, None);
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Destination(RouteAddress::Inet(address)) => destination = Some(IpAddr::V4(*address)),
                RouteAttribute::Destination(RouteAddress::Inet6(address)) => destination = Some(IpAddr::V6(*address)),
                RouteAttribute::Oif(index) => interface = Some(*index),
                RouteAttribute::Gateway(_) | RouteAttribute::Via(_) | RouteAttribute::MultiPath(_) => return None,
                _ => {}
            }
        }
        let everything = match message.header.address_family {
            AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let prefix = IpNet::new(destination.unwrap_or(everything), message.header.destination_prefix_length).ok()?;
        match message.header.kind {
            RouteType::Throw => Some(Route { prefix, throw: true }),
            RouteType::Unicast if interface == Some(self.tun.index) => Some(Route { prefix, throw: false }),
            _ => None,
        }
    }

    async fn set_rules(&self, family: AddressFamily, wanted: bool) -> Result<usize, HostError> {
        let version = if family == AddressFamily::Inet { IpVersion::V4 } else { IpVersion::V6 };
        let mut present = Vec::new();
        let mut messages = std::pin::pin!(self.handle.rule().get(version).execute());
        while let Some(message) = self.next(&mut messages, "list the routing rules").await? {
            present.extend(Rule::recognise(&message));
        }
        let mut changes = 0;
        for rule in RULES {
            let copies = present.iter().filter(|found| **found == rule).count();
            if wanted && copies == 0 {
                let mut adding = self.handle.rule().add();
                *adding.message_mut() = rule.message(family);
                self.settle("add a routing rule", adding.execute().await, Errno::EEXIST)?;
                changes += 1;
            }
            for _ in 0..copies.saturating_sub(usize::from(wanted)).min(RULE_COPIES) {
                let deleting = self.handle.rule().del(rule.message(family));
                self.settle("remove a routing rule", deleting.execute().await, Errno::ENOENT)?;
                changes += 1;
            }
        }
        Ok(changes)
    }

    /// How a packet of ours would get there; `None`: not at all.
    async fn way_to(&self, address: IpAddr) -> Option<DefaultRoute> {
        let mut question = RouteMessage::default();
        (question.header.address_family, question.header.destination_prefix_length) =
            if address.is_ipv4() { (AddressFamily::Inet, 32) } else { (AddressFamily::Inet6, 128) };
        question.attributes.push(RouteAttribute::Destination(address.into()));
        question.attributes.push(RouteAttribute::Mark(BYPASS_MARK));
        let answer = std::pin::pin!(self.handle.route().get(question).execute()).try_next().await.ok()??;
        if answer.header.kind != RouteType::Unicast {
            return None;
        }
        let mut way = DefaultRoute::default();
        for attribute in &answer.attributes {
            match attribute {
                RouteAttribute::Oif(index) => way.interface = Some(*index),
                RouteAttribute::Gateway(gateway) => way.gateway = ip(gateway),
                RouteAttribute::PrefSource(source) => way.source = ip(source),
                _ => {}
            }
        }
        Some(way)
    }

    async fn next<T>(
        &self,
        messages: &mut (impl Stream<Item = Result<T, rtnetlink::Error>> + Unpin),
        step: &'static str,
    ) -> Result<Option<T>, HostError> {
        messages.next().await.transpose().map_err(|error| self.explain(step, error))
    }

    /// A step whose effect was there already is no error.
    fn settle(
        &self,
        step: &'static str,
        outcome: Result<(), rtnetlink::Error>,
        already: Errno,
    ) -> Result<(), HostError> {
        match outcome {
            Err(rtnetlink::Error::NetlinkError(error)) if error.to_io().raw_os_error() == Some(already as i32) => {
                Ok(())
            }
            outcome => outcome.map_err(|error| self.explain(step, error)),
        }
    }

    fn explain(&self, step: &'static str, error: rtnetlink::Error) -> HostError {
        let source = match error {
            rtnetlink::Error::NetlinkError(error) => error.to_io(),
            other => io::Error::other(other.to_string()),
        };
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EPERM) => HostError::Permission,
            Some(Errno::ENODEV) => self.no_interface(),
            _ => HostError::Refused { step, source },
        }
    }

    fn no_interface(&self) -> HostError {
        HostError::NoInterface { name: self.tun.name.clone() }
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn is_no_family(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP | Errno::EPFNOSUPPORT)
    )
}
