//! A router between a home network and what is outside of it.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::host::ip_of;
use crate::nat::Rules;
use crate::{Conditions, LabError, Nat, Six, tools};

/// How far a reboot moves the ports that are named to it.
const MOVED_BY: u16 = 10_000;

/// A router: `wan` outside, `lan` (a bridge) inside.
#[derive(Clone, Debug)]
pub struct Router {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) nat: Nat,
    pub(crate) six: Six,
    pub(crate) outer: Option<Ipv4Addr>,
    pub(crate) outer_six: Option<Ipv6Addr>,
    /// Its home network: the last word of the prefix, in both families.
    pub(crate) number: u8,
    /// Behind a carrier's router, so its home network is in the carrier's range.
    pub(crate) serves_homes: bool,
    /// The router or bridge outside, and this router's plug there.
    pub(crate) outside: (String, String),
    pub(crate) default_four: Option<Ipv4Addr>,
    pub(crate) default_six: Option<Ipv6Addr>,
    pub(crate) four: bool,
}

impl Router {
    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its address outside; `None` in a lab without IPv4.
    pub const fn address(&self) -> Option<Ipv4Addr> {
        self.outer
    }

    /// How it translates.
    pub const fn nat(&self) -> Nat {
        self.nat
    }

    /// Its address inside.
    pub(crate) const fn gateway(&self) -> Ipv4Addr {
        self.inner(1)
    }

    /// Its address inside, of IPv6.
    pub(crate) const fn gateway_six(&self) -> Ipv6Addr {
        home_six(self.number, 1)
    }

    /// An address of its home network.
    pub(crate) const fn inner(&self, place: u8) -> Ipv4Addr {
        if self.serves_homes {
            Ipv4Addr::new(100, 64, self.number, place)
        } else {
            Ipv4Addr::new(192, 168, self.number, place)
        }
    }

    /// Loads its rules as they should be.
    pub(crate) fn load(&self, nat: Nat, moved: &[(u16, u16)]) -> Result<(), LabError> {
        let outer = self.outer.unwrap_or(Ipv4Addr::LOCALHOST);
        tools::nft(&self.namespace, &Rules { nat, six: self.six, outer, inner: self.gateway(), moved }.text())
    }

    /// Makes it drop all UDP, or stop doing so.
    pub fn set_udp_blocked(&self, blocked: bool) -> Result<(), LabError> {
        self.load(if blocked { Nat::UdpBlocked } else { self.nat }, &[])
    }

    /// Switches it off and on: its mappings are forgotten, and what had one of these source ports inside gets another one
    /// outside from now on. `moved` false: the ports stay what they were at first.
    pub fn reboot(&self, ports: &[u16], moved: bool) -> Result<(), LabError> {
        let namespace = &self.namespace;
        let pairs: Vec<(u16, u16)> = ports.iter().map(|port| (*port, port.saturating_add(MOVED_BY))).collect();
        // Masquerade forgets what went through an interface that goes down.
        tools::ip(&format!("-n {namespace} link set wan down"))?;
        self.load(self.nat, if moved { &pairs } else { &[] })?;
        tools::ip(&format!("-n {namespace} link set wan up"))?;
        self.restore_routes()
    }

    /// The cable outside is pulled, or back.
    pub fn set_link(&self, up: bool) -> Result<(), LabError> {
        tools::ip(&format!("-n {} link set wan {}", self.namespace, if up { "up" } else { "down" }))?;
        if up { self.restore_routes() } else { Ok(()) }
    }

    /// Lets things go wrong, or right again, for what passes.
    pub fn set_conditions(&self, conditions: &Conditions) -> Result<(), LabError> {
        tools::nft(&self.namespace, &conditions.rules())
    }

    /// What the cable outside carries at once, at both ends. With a router outside both sides are told when a packet is too
    /// big; on the public network, which is one wire, what is too big for it vanishes on the way in.
    pub fn set_mtu(&self, bytes: u16) -> Result<(), LabError> {
        let (outside, plug) = &self.outside;
        tools::ip(&format!("-n {} link set wan mtu {bytes}", self.namespace))?;
        tools::ip(&format!("-n {outside} link set {plug} mtu {bytes}")).map(drop)
    }

    /// A command that will run on the router.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
        tools::command_in(&self.namespace, program)
    }

    fn restore_routes(&self) -> Result<(), LabError> {
        let namespace = &self.namespace;
        if let Some(address) = self.outer_six {
            // The kernel takes IPv6 addresses from an interface that goes down.
            tools::ip(&format!("-n {namespace} addr replace {address}/64 dev wan nodad"))?;
        }
        for gateway in [self.default_four.map(Into::into), self.default_six.map(Into::into)].into_iter().flatten() {
            tools::ip(&format!("{} -n {namespace} route replace default via {gateway}", ip_of(gateway)))?;
        }
        Ok(())
    }
}

/// An address of the home network with this number.
pub(crate) const fn home_six(number: u8, place: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 2, 0, number as u16, 0, 0, 0, place as u16)
}
