//! The lab: one public network, and everything that stands on it.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::Uid;

use crate::host::Host;
use crate::{LabError, Nat, registry, tools};

/// The public network is 198.18.0.0/16, which RFC 2544 sets apart for tests. One address a host or router.
const HOSTS_MAX: u8 = 200;
const INTERNET: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

static LABS: AtomicU32 = AtomicU32::new(0);

/// A small internet. Dropping it removes every namespace that it made.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    namespaces: Vec<String>,
    standing: u8,
    kept: bool,
}

impl Lab {
    /// An empty public network.
    pub fn new() -> Result<Self, LabError> {
        if !Uid::effective().is_root() {
            return Err(LabError::NotRoot);
        }
        tools::check()?;
        registry::sweep();
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("wl{}-{number}", std::process::id());
        let mut lab = Self { prefix, namespaces: Vec::new(), standing: 0, kept: false };
        let internet = lab.namespace("net")?;
        tools::ip(&format!("-n {internet} link add bridge type bridge"))?;
        tools::ip(&format!("-n {internet} addr add {INTERNET}/16 dev bridge"))?;
        tools::ip(&format!("-n {internet} link set bridge up"))?;
        Ok(lab)
    }

    /// A lab for a test. `None`, with the reason printed, where there can be none; but where `WATTLE_LABS=required` says
    /// that there must be one, as in the project's own test run, a missing right or tool fails the test.
    ///
    /// # Panics
    /// When a lab is required, or breaks while it is made.
    pub fn for_test() -> Option<Self> {
        let wish = std::env::var("WATTLE_LABS").unwrap_or_default();
        if wish == "off" {
            eprintln!("skipped: WATTLE_LABS=off");
            return None;
        }
        match Self::new() {
            Ok(lab) => Some(lab),
            Err(why @ (LabError::NotRoot | LabError::MissingTool { .. })) if wish != "required" => {
                eprintln!("skipped: {why}");
                None
            }
            Err(why) => panic!("{why}"),
        }
    }

    /// A host with a public address and no filter.
    pub fn public_host(&mut self, name: &str) -> Result<Host, LabError> {
        let namespace = self.namespace(name)?;
        let address = self.stand_on_internet(&namespace)?;
        let name = name.to_owned();
        Ok(Host { name, namespace, interface: "wan", address, gateway: INTERNET, router: None, nat: None })
    }

    /// A host behind a router of its own.
    pub fn host_behind(&mut self, name: &str, nat: Nat) -> Result<Host, LabError> {
        let router = self.namespace(&format!("{name}-r"))?;
        self.stand_on_internet(&router)?;
        let number = self.standing;
        let home = Ipv4Addr::new(192, 168, number, 10);
        let mut last_router = router.clone();
        if nat == Nat::Double {
            let middle = Ipv4Addr::new(10, 100, number, 10);
            let inner = self.namespace(&format!("{name}-rr"))?;
            plug(&last_router, &inner, "wan", middle)?;
            open_router(&last_router, nat, middle)?;
            last_router = inner;
        }
        let namespace = self.namespace(name)?;
        plug(&last_router, &namespace, "eth", home)?;
        open_router(&last_router, nat, home)?;
        let name = name.to_owned();
        let gateway = gateway_of(home);
        Ok(Host {
            name,
            namespace,
            interface: "eth",
            address: home,
            gateway,
            router: Some(last_router),
            nat: Some(nat),
        })
    }

    /// Leaves everything standing when the lab is dropped, and says how the namespaces are named.
    pub fn keep(&mut self) -> &[String] {
        self.kept = true;
        &self.namespaces
    }

    fn namespace(&mut self, name: &str) -> Result<String, LabError> {
        let namespace = format!("{}-{name}", self.prefix);
        self.namespaces.push(namespace.clone());
        registry::make(&namespace)?;
        Ok(namespace)
    }

    fn stand_on_internet(&mut self, namespace: &str) -> Result<Ipv4Addr, LabError> {
        if self.standing >= HOSTS_MAX {
            return Err(LabError::Full(HOSTS_MAX));
        }
        self.standing += 1;
        let (internet, number) = (&self.namespaces[0], self.standing);
        let address = Ipv4Addr::new(198, 18, 1, number);
        tools::ip(&format!("-n {internet} link add p{number} type veth peer name wan netns {namespace}"))?;
        tools::ip(&format!("-n {internet} link set p{number} master bridge up"))?;
        tools::ip(&format!("-n {namespace} addr add {address}/16 dev wan"))?;
        tools::ip(&format!("-n {namespace} link set wan up"))?;
        tools::ip(&format!("-n {namespace} route add default via {INTERNET}"))?;
        Ok(address)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.kept {
            for namespace in self.namespaces.iter().rev() {
                registry::remove(namespace);
            }
        }
    }
}

/// The router's side of a home network is its first address.
fn gateway_of(address: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, _] = address.octets();
    Ipv4Addr::new(a, b, c, 1)
}

/// Connects an inner namespace to a router's `lan`.
fn plug(router: &str, inner: &str, interface: &str, address: Ipv4Addr) -> Result<(), LabError> {
    let gateway = gateway_of(address);
    tools::ip(&format!("-n {router} link add lan type veth peer name {interface} netns {inner}"))?;
    tools::ip(&format!("-n {router} addr add {gateway}/24 dev lan"))?;
    tools::ip(&format!("-n {router} link set lan up"))?;
    tools::ip(&format!("-n {inner} addr add {address}/24 dev {interface}"))?;
    tools::ip(&format!("-n {inner} link set {interface} up"))?;
    tools::ip(&format!("-n {inner} route add default via {gateway}")).map(drop)
}

fn open_router(router: &str, nat: Nat, inner: Ipv4Addr) -> Result<(), LabError> {
    tools::inside(router, "sysctl -qw net.ipv4.ip_forward=1")?;
    tools::nft(router, &nat.rules(inner))
}
