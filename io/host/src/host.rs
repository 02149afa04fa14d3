//! The handle that the program holds, and its words.

use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};

use crate::keeper::{Command, Keeper};
use crate::limits::{COMMANDS, EVENTS};
use crate::{HostError, Network};

/// The TUN that packets shall find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunId {
    /// Its name.
    pub name: String,
    /// Its number in the kernel.
    pub index: u32,
}

/// All that shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// On the TUN.
    pub addresses: Vec<IpNet>,
    /// Into the TUN.
    pub routes: Vec<IpNet>,
    /// Around the TUN although a wider route leads into it: the local network beside an exit node.
    pub throw: Vec<IpNet>,
    /// Of the TUN.
    pub mtu: u16,
}

/// What happened without being asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// The host's network is another one now; or it looks the same, but one of its addresses or its way to the Internet was
    /// gone for a moment, as when a laptop moves to another place with the same numbers.
    NetworkChanged {
        /// What it is now.
        network: Network,
        /// Whether what worked before may fail now.
        is_break: bool,
    },
    /// Somebody took away what [`Host::apply`] had made; it was put back.
    Restored {
        /// How many addresses, routes and rules.
        changes: usize,
    },
}

/// Keeps the host's addresses, routes and rules as told. When it is dropped they go.
#[derive(Debug)]
pub struct Host {
    commands: mpsc::Sender<Command>,
}

impl Host {
    /// Starts keeping, from a clean state: what a run that crashed left behind is removed. Needs a tokio runtime.
    pub async fn open(tun: TunId) -> Result<(Self, mpsc::Receiver<HostEvent>), HostError> {
        let (commands, orders) = mpsc::channel(COMMANDS);
        let (news, events) = mpsc::channel(EVENTS);
        let keeper = Keeper::start(tun, orders, news).await?;
        tokio::spawn(keeper.run());
        Ok((Self { commands }, events))
    }

    /// Makes the host as desired, by the fewest changes. After an error, call it again: what was done is not repeated.
    pub async fn apply(&self, desired: &Desired) -> Result<(), HostError> {
        let desired = desired.clone();
        self.ask(|answer| Command::Apply(desired, answer)).await?
    }

    /// Takes everything away, and the TUN down.
    pub async fn clear(&self) -> Result<(), HostError> {
        self.ask(Command::Clear).await?
    }

    /// The network as it is now.
    pub async fn network(&self) -> Result<Network, HostError> {
        self.ask(Command::Network).await?
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, HostError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| HostError::Ended)?;
        answered.await.map_err(|_| HostError::Ended)
    }
}

#[cfg(test)]
mod tests;
