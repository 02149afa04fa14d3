//! One machine of the lab.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, setns};

use crate::nat::BLOCK_UDP;
use crate::process::Process;
use crate::{LabError, Nat, Router, registry, tools};

/// A machine: a network namespace with one interface and a default route.
#[derive(Clone, Debug)]
pub struct Host {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) interface: &'static str,
    /// Unspecified in a lab without IPv4.
    pub(crate) address: Ipv4Addr,
    pub(crate) address_six: Option<Ipv6Addr>,
    pub(crate) gateway: Option<Ipv4Addr>,
    pub(crate) gateway_six: Option<Ipv6Addr>,
    pub(crate) router: Option<Router>,
}

impl Host {
    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its own address: public, or behind its router. Unspecified in a lab without IPv4.
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its own IPv6 address.
    pub const fn address_six(&self) -> Option<Ipv6Addr> {
        self.address_six
    }

    /// Its router's address, or that of the public network.
    pub const fn gateway(&self) -> Option<Ipv4Addr> {
        self.gateway
    }

    /// All its own addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let four = Some(self.address).filter(|address| !address.is_unspecified()).map(IpAddr::V4);
        four.into_iter().chain(self.address_six.map(IpAddr::V6))
    }

    /// The router it is behind; `None` for a public host.
    pub const fn router(&self) -> Option<&Router> {
        self.router.as_ref()
    }

    /// The NAT it is behind; `None` for a public host.
    pub fn nat(&self) -> Option<Nat> {
        self.router.as_ref().map(Router::nat)
    }

    /// What names mean to programs that are started in the host from now on, in place of the machine's own.
    pub fn set_names(&self, names: &[(&str, Vec<IpAddr>)]) -> Result<(), LabError> {
        let mut text = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
        for (name, addresses) in names {
            text.extend(addresses.iter().map(|address| format!("{address} {name}\n")));
        }
        registry::write_etc(&self.namespace, "hosts", &text)?;
        // Nobody answers questions about other names; and nobody in here changes the machine's own resolver.
        registry::write_etc(&self.namespace, "resolv.conf", "")
    }

    /// A command that will run inside the host.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        tools::command_in(&self.namespace, program)
    }

    /// Starts what [`Self::command`] made. `ip netns exec` becomes the program, so its number is the program's.
    pub fn spawn(&self, command: &mut Command) -> Result<Process, LabError> {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .map_err(|source| LabError::os(format!("starting {command:?}"), source))?;
        Ok(Process::new(child))
    }

    /// Runs what [`Self::command`] made to its end.
    pub fn run(&self, command: &mut Command) -> Result<Output, LabError> {
        command.stdin(Stdio::null()).output().map_err(|source| LabError::os(format!("running {command:?}"), source))
    }

    /// Runs a closure on a thread of its own whose sockets are inside the host.
    pub fn thread<T, F>(&self, work: F) -> Inside<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let path = format!("/run/netns/{}", self.namespace);
        let thread = std::thread::spawn(move || {
            let namespace = File::open(&path).map_err(|source| LabError::os(format!("opening {path}"), source))?;
            setns(namespace, CloneFlags::CLONE_NEWNET)
                .map_err(|source| LabError::os(format!("entering {path}"), source))?;
            Ok(work())
        });
        Inside { thread }
    }

    /// Takes its interface down or up again, as pulling its cable would. Up restores its addresses and routes.
    pub fn set_link(&self, up: bool) -> Result<(), LabError> {
        let (namespace, interface) = (&self.namespace, self.interface);
        tools::ip(&format!("-n {namespace} link set {interface} {}", if up { "up" } else { "down" }))?;
        if up { self.address_and_route() } else { Ok(()) }
    }

    /// Makes its router drop all UDP, or stop doing so. Established mappings are forgotten both times.
    pub fn set_udp_blocked(&self, blocked: bool) -> Result<(), LabError> {
        if let Some(router) = &self.router {
            return router.set_udp_blocked(blocked);
        }
        let rules = if blocked {
            format!(
                "table inet labhost {{ chain out {{ type filter hook output priority filter; {BLOCK_UDP}\n}}\nchain in {{ type filter hook input priority filter; {BLOCK_UDP}\n}} }}"
            )
        } else {
            "table inet labhost {}\ndelete table inet labhost".to_owned()
        };
        tools::nft(&self.namespace, &rules)
    }

    /// Gives its interface what it should have.
    pub(crate) fn address_and_route(&self) -> Result<(), LabError> {
        let (namespace, interface) = (&self.namespace, self.interface);
        // On the public network the whole of it is on the wire.
        let length = if self.router.is_some() { 24 } else { 16 };
        if !self.address.is_unspecified() {
            tools::ip(&format!("-n {namespace} addr replace {}/{length} dev {interface}", self.address))?;
        }
        if let Some(address) = self.address_six {
            tools::ip(&format!("-n {namespace} addr replace {address}/64 dev {interface} nodad"))?;
        }
        tools::ip(&format!("-n {namespace} link set {interface} up"))?;
        for gateway in [self.gateway.map(IpAddr::V4), self.gateway_six.map(IpAddr::V6)].into_iter().flatten() {
            let family = ip_of(gateway);
            tools::ip(&format!("{family} -n {namespace} route replace default via {gateway} dev {interface}"))?;
        }
        Ok(())
    }
}

/// The option of `ip` for the family of an address.
pub(crate) const fn ip_of(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "-4",
        IpAddr::V6(_) => "-6",
    }
}

/// A closure that runs inside a host.
#[derive(Debug)]
pub struct Inside<T> {
    thread: JoinHandle<Result<T, LabError>>,
}

impl<T> Inside<T> {
    /// Waits for the closure and gives what it returned. A panic in it goes on here.
    pub fn join(self) -> Result<T, LabError> {
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Whether it has returned.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}
