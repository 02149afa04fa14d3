//! One machine of the lab.

use std::fs::File;
use std::net::Ipv4Addr;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, setns};

use crate::nat::BLOCK_UDP;
use crate::process::Process;
use crate::{LabError, Nat, tools};

/// A machine: a network namespace with one interface and a default route.
#[derive(Clone, Debug)]
pub struct Host {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) interface: &'static str,
    pub(crate) address: Ipv4Addr,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) router: Option<String>,
    pub(crate) nat: Option<Nat>,
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

    /// Its own address: public, or behind its router.
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The NAT it is behind; `None` for a public host.
    pub const fn nat(&self) -> Option<Nat> {
        self.nat
    }

    /// A command that will run inside the host.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program);
        command
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

    /// Takes its interface down or up again, as pulling its cable would. Up restores its default route.
    pub fn set_link(&self, up: bool) -> Result<(), LabError> {
        let (namespace, interface, gateway) = (&self.namespace, self.interface, self.gateway);
        tools::ip(&format!("-n {namespace} link set {interface} {}", if up { "up" } else { "down" }))?;
        if up {
            tools::ip(&format!("-n {namespace} route replace default via {gateway} dev {interface}"))?;
        }
        Ok(())
    }

    /// Makes its router drop all UDP, or stop doing so. Established mappings are forgotten both times.
    pub fn set_udp_blocked(&self, blocked: bool) -> Result<(), LabError> {
        let (Some(router), Some(nat)) = (&self.router, self.nat) else {
            let rules = if blocked {
                format!(
                    "table ip labhost {{ chain out {{ type filter hook output priority filter; {BLOCK_UDP}\n}}\nchain in {{ type filter hook input priority filter; {BLOCK_UDP}\n}} }}"
                )
            } else {
                "table ip labhost {}\ndelete table ip labhost".to_owned()
            };
            return tools::nft(&self.namespace, &rules);
        };
        let kind = if blocked { Nat::UdpBlocked } else { nat };
        tools::nft(router, &format!("delete table ip lab\n{}", kind.rules(self.address)))
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
