//! The lab: one public network, and everything that stands on it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::Uid;

use crate::host::Host;
use crate::router::{Router, home_six};
use crate::{LabError, Nat, Six, Wire, WireConditions, registry, tools};

/// The public network is 198.18.0.0/16, which RFC 2544 sets apart for tests, and 2001:2::/64 (RFC 5180). One address a host
/// or router.
const HOSTS_MAX: u8 = 200;
const INTERNET: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const INTERNET_SIX: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 1);
/// The first host of a home network.
const FIRST_HOST: u8 = 10;

/// The hardware address of every bridge; no two are on one wire.
const BRIDGE: &str = "02:00:00:00:00:01";

static LABS: AtomicU32 = AtomicU32::new(0);

/// What the public network speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// IPv4 only.
    #[default]
    Four,
    /// IPv6 only.
    Six,
    /// Both.
    Both,
}

/// A small internet. Dropping it removes every namespace that it made.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    families: Families,
    wire: Option<WireConditions>,
    wires: Vec<Wire>,
    namespaces: Vec<String>,
    standing: u8,
    plugged: u8,
    kept: bool,
}

impl Families {
    /// The words to show people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Four => "v4",
            Self::Six => "v6",
            Self::Both => "dual",
        }
    }

    const fn four(self) -> bool {
        !matches!(self, Self::Six)
    }

    const fn six(self) -> bool {
        !matches!(self, Self::Four)
    }
}

impl Lab {
    /// An empty public network of IPv4.
    pub fn new() -> Result<Self, LabError> {
        Self::with(Families::Four)
    }

    /// An empty public network.
    pub fn with(families: Families) -> Result<Self, LabError> {
        if !Uid::effective().is_root() {
            return Err(LabError::NotRoot);
        }
        tools::check()?;
        registry::sweep();
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("wl{}-{number}", std::process::id());
        let mut lab = Self {
            prefix,
            families,
            wire: None,
            wires: Vec::new(),
            namespaces: Vec::new(),
            standing: 0,
            plugged: 0,
            kept: false,
        };
        let internet = lab.namespace("net")?;
        add_bridge(&internet, "bridge")?;
        tools::inside(&internet, "sysctl -qw net.ipv4.ip_forward=1")?;
        if families.four() {
            tools::ip(&format!("-n {internet} addr add {INTERNET}/16 dev bridge"))?;
        }
        if families.six() {
            tools::inside(&internet, "sysctl -qw net.ipv6.conf.all.forwarding=1")?;
            tools::ip(&format!("-n {internet} addr add {INTERNET_SIX}/64 dev bridge nodad"))?;
        }
        tools::ip(&format!("-n {internet} link set bridge up"))?;
        Ok(lab)
    }

    /// A lab for a test. `None`, with the reason printed, where there can be none; but where `WATTLE_LABS=required` says
    /// that there must be one, as in the project's own test run, a missing right or tool fails the test.
    ///
    /// # Panics
    /// When a lab is required, or breaks while it is made.
    pub fn for_test() -> Option<Self> {
        Self::for_test_with(Families::Four)
    }

    /// The same with other families.
    ///
    /// # Panics
    /// When a lab is required, or breaks while it is made.
    pub fn for_test_with(families: Families) -> Option<Self> {
        let wish = std::env::var("WATTLE_LABS").unwrap_or_default();
        if wish == "off" {
            eprintln!("skipped: WATTLE_LABS=off");
            return None;
        }
        match Self::with(families) {
            Ok(lab) => Some(lab),
            Err(why @ (LabError::NotRoot | LabError::MissingTool { .. })) if wish != "required" => {
                eprintln!("skipped: {why}");
                None
            }
            Err(why) => panic!("{why}"),
        }
    }

    /// Every cable to the public network that is laid from now on is a slow one; `None`: a perfect one again.
    pub const fn set_wire(&mut self, conditions: Option<WireConditions>) {
        self.wire = conditions;
    }

    /// A host with a public address and no filter.
    pub fn public_host(&mut self, name: &str) -> Result<Host, LabError> {
        let namespace = self.namespace(name)?;
        let (address, address_six, _plug) = self.stand_on_internet(&namespace)?;
        let host = Host {
            name: name.to_owned(),
            namespace,
            interface: "wan",
            address: address.unwrap_or(Ipv4Addr::UNSPECIFIED),
            address_six,
            gateway: address.map(|_| INTERNET),
            gateway_six: address_six.map(|_| INTERNET_SIX),
            router: None,
        };
        host.address_and_route()?;
        Ok(host)
    }

    /// A host behind a router of its own.
    pub fn host_behind(&mut self, name: &str, nat: Nat) -> Result<Host, LabError> {
        let six = if self.families.six() { Six::Firewall } else { Six::None };
        let router = if nat == Nat::Double {
            let outer = self.router(&format!("{name}-r"), Nat::Double, six)?;
            self.router_behind(&outer, &format!("{name}-rr"), Nat::Double, six)?
        } else {
            self.router(&format!("{name}-r"), nat, six)?
        };
        self.host_at(&router, name)
    }

    /// A router on the public network, with an empty home network.
    pub fn router(&mut self, name: &str, nat: Nat, six: Six) -> Result<Router, LabError> {
        let namespace = self.namespace(name)?;
        let (outer, outer_six, plug) = self.stand_on_internet(&namespace)?;
        let router = Router {
            name: name.to_owned(),
            namespace,
            nat,
            six,
            outer,
            outer_six,
            number: self.standing,
            serves_homes: nat == Nat::Carrier,
            outside: (self.namespaces[0].clone(), plug),
            default_four: outer.map(|_| INTERNET),
            default_six: outer_six.map(|_| INTERNET_SIX),
            four: self.families.four(),
        };
        self.open(&router)?;
        if let Some(via) = outer_six {
            route_home(&self.namespaces[0], router.number, via)?;
        }
        Ok(router)
    }

    /// A router whose outside is the home network of another router.
    pub fn router_behind(&mut self, outside: &Router, name: &str, nat: Nat, six: Six) -> Result<Router, LabError> {
        let namespace = self.namespace(name)?;
        let place = self.plug(outside, &namespace, "wan")?;
        let plug = format!("l{}", self.plugged);
        let number = self.number()?;
        let outer = self.families.four().then(|| outside.inner(place));
        // A router outside without IPv6 has none to hand on.
        let has_six = self.families.six() && outside.six != Six::None;
        let outer_six = has_six.then(|| home_six(outside.number, place));
        let router = Router {
            name: name.to_owned(),
            namespace,
            nat,
            six: if has_six { six } else { Six::None },
            outer,
            outer_six,
            number,
            serves_homes: nat == Nat::Carrier,
            outside: (outside.namespace.clone(), plug),
            default_four: outer.map(|_| outside.gateway()),
            default_six: outer_six.map(|_| outside.gateway_six()),
            four: self.families.four(),
        };
        if let Some(outer) = outer {
            tools::ip(&format!("-n {} addr add {outer}/24 dev wan", router.namespace))?;
        }
        tools::ip(&format!("-n {} link set wan up", router.namespace))?;
        self.open(&router)?;
        router.set_link(true)?;
        if let (Some(via), Some(first)) = (outer_six, outside.outer_six) {
            route_home(&outside.namespace, number, via)?;
            route_home(&self.namespaces[0], number, first)?;
        }
        Ok(router)
    }

    /// A host on a router's home network.
    pub fn host_at(&mut self, router: &Router, name: &str) -> Result<Host, LabError> {
        let namespace = self.namespace(name)?;
        let mut host = Host {
            name: name.to_owned(),
            namespace,
            interface: "eth",
            address: Ipv4Addr::UNSPECIFIED,
            address_six: None,
            gateway: None,
            gateway_six: None,
            router: None,
        };
        self.attach(&mut host, router)?;
        Ok(host)
    }

    /// A host leaves its network, if it is on one, and joins another one, as a laptop that is carried away does.
    pub fn roam(&mut self, host: &mut Host, router: &Router) -> Result<(), LabError> {
        tools::ip(&format!("-n {} link del {}", host.namespace, host.interface))?;
        self.attach(host, router)
    }

    /// The namespace of the public network.
    pub(crate) fn internet(&self) -> &str {
        &self.namespaces[0]
    }

    /// Leaves everything standing when the lab is dropped, and says how the namespaces are named.
    pub fn keep(&mut self) -> &[String] {
        self.kept = true;
        &self.namespaces
    }

    fn attach(&mut self, host: &mut Host, router: &Router) -> Result<(), LabError> {
        host.interface = "eth";
        let place = self.plug(router, &host.namespace, host.interface)?;
        let has_six = router.outer_six.is_some() && router.six != Six::None;
        host.address = if router.four { router.inner(place) } else { Ipv4Addr::UNSPECIFIED };
        host.address_six = has_six.then(|| home_six(router.number, place));
        host.gateway = router.four.then(|| router.gateway());
        host.gateway_six = has_six.then(|| router.gateway_six());
        host.router = Some(router.clone());
        host.address_and_route()
    }

    fn namespace(&mut self, name: &str) -> Result<String, LabError> {
        let namespace = format!("{}-{name}", self.prefix);
        self.namespaces.push(namespace.clone());
        registry::make(&namespace)?;
        if self.families.six() {
            // Nobody else is here who could have an address already; asking takes a second in which there is none.
            tools::inside(&namespace, "sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0")?;
        }
        Ok(namespace)
    }

    fn number(&mut self) -> Result<u8, LabError> {
        if self.standing >= HOSTS_MAX {
            return Err(LabError::Full(HOSTS_MAX));
        }
        self.standing += 1;
        Ok(self.standing)
    }

    /// Lays a cable from a namespace's `wan` to the public network.
    fn stand_on_internet(&mut self, namespace: &str) -> Result<(Option<Ipv4Addr>, Option<Ipv6Addr>, String), LabError> {
        let number = self.number()?;
        let internet = &self.namespaces[0];
        let plug = format!("p{number}");
        match self.wire {
            Some(conditions) => self.wires.push(Wire::lay((internet, &plug), (namespace, "wan"), conditions)?),
            None => {
                tools::ip(&format!("-n {internet} link add {plug} type veth peer name wan netns {namespace}"))?;
            }
        }
        tools::ip(&format!("-n {internet} link set {plug} master bridge up"))?;
        tools::ip(&format!("-n {namespace} link set wan up"))?;
        let address = self.families.four().then(|| Ipv4Addr::new(198, 18, 1, number));
        if let Some(address) = address {
            tools::ip(&format!("-n {namespace} addr add {address}/16 dev wan"))?;
            tools::ip(&format!("-n {namespace} route add default via {INTERNET}"))?;
        }
        let address_six = self.families.six().then(|| Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 1, u16::from(number)));
        if let Some(address) = address_six {
            tools::ip(&format!("-n {namespace} addr add {address}/64 dev wan nodad"))?;
            tools::ip(&format!("-6 -n {namespace} route add default via {INTERNET_SIX}"))?;
        }
        Ok((address, address_six, plug))
    }

    /// Lays a cable from a namespace to a router's home network; gives its place there.
    fn plug(&mut self, router: &Router, namespace: &str, interface: &str) -> Result<u8, LabError> {
        if self.plugged >= HOSTS_MAX {
            return Err(LabError::Full(HOSTS_MAX));
        }
        self.plugged += 1;
        let (number, home) = (self.plugged, &router.namespace);
        tools::ip(&format!("-n {home} link add l{number} type veth peer name {interface} netns {namespace}"))?;
        tools::ip(&format!("-n {home} link set l{number} master lan up"))?;
        Ok(FIRST_HOST + number)
    }

    /// Gives a router its home network and its rules.
    fn open(&self, router: &Router) -> Result<(), LabError> {
        let namespace = &router.namespace;
        tools::inside(namespace, "sysctl -qw net.ipv4.ip_forward=1")?;
        add_bridge(namespace, "lan")?;
        if router.four {
            tools::ip(&format!("-n {namespace} addr add {}/24 dev lan", router.gateway()))?;
        }
        if router.outer_six.is_some() && router.six != Six::None {
            tools::inside(namespace, "sysctl -qw net.ipv6.conf.all.forwarding=1")?;
            tools::ip(&format!("-n {namespace} addr add {}/64 dev lan nodad", router.gateway_six()))?;
        }
        tools::ip(&format!("-n {namespace} link set lan up"))?;
        router.load(router.nat, &[])
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.wires.clear();
        if !self.kept {
            for namespace in self.namespaces.iter().rev() {
                registry::remove(namespace);
            }
        }
    }
}

/// A bridge that carries from the first moment. One that has no port when it is set up takes up to a second to notice its
/// first one (the kernel looks at such events once a second), so it has a port from the start that leads nowhere.
///
/// Its hardware address is given: otherwise it is the least of its ports', changes when one is plugged in, and who goes by
/// the old one sends into the void until the kernel asks anew, up to a minute later.
fn add_bridge(namespace: &str, name: &str) -> Result<(), LabError> {
    tools::ip(&format!("-n {namespace} link add {name} address {BRIDGE} type bridge"))?;
    tools::ip(&format!("-n {namespace} link add nowhere type veth peer name nobody"))?;
    tools::ip(&format!("-n {namespace} link set nobody up"))?;
    tools::ip(&format!("-n {namespace} link set nowhere master {name} up")).map(drop)
}

/// A router or the public network learns by whom a home network is reached.
fn route_home(namespace: &str, number: u8, via: Ipv6Addr) -> Result<(), LabError> {
    tools::ip(&format!("-6 -n {namespace} route add 2001:2:0:{number:x}::/64 via {via}")).map(drop)
}
