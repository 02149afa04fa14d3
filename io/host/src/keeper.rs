//! The task that watches the host's network and keeps our part of it.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use rtnetlink::MulticastGroup::{Ipv4Ifaddr, Ipv4Route, Ipv4Rule, Ipv6Ifaddr, Ipv6Route, Ipv6Rule, Link};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::LinkFlags;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::kernel::Kernel;
use crate::limits::{DEBOUNCE, RESTORE_AFTER, RESTORE_BURST, RESTORE_EVERY};
use crate::rules::{Rule, TABLE, TABLE_MAIN};
use crate::{Desired, HostError, HostEvent, Network, TunId};

/// What the handle may ask for.
#[derive(Debug)]
pub(crate) enum Command {
    Apply(Desired, oneshot::Sender<Result<(), HostError>>),
    Clear(oneshot::Sender<Result<(), HostError>>),
    Network(oneshot::Sender<Result<Network, HostError>>),
}

type Messages = Pin<Box<dyn Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + Send>>;

pub(crate) struct Keeper {
    kernel: Kernel,
    tun: TunId,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<HostEvent>,
    messages: Messages,
    desired: Option<Desired>,
    /// The last network that was told of.
    network: Network,
    look_at: Option<Instant>,
    /// Something that the last network had was taken away since.
    lost: bool,
    restore_at: Option<Instant>,
    allowance: Allowance,
}

/// What a message of the kernel is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// Something of ours went away.
    OursGone,
    /// The network around us.
    Network,
    /// Everything may have changed: messages were lost.
    Unknown,
    /// Nothing that matters.
    Nothing,
}

impl Keeper {
    pub(crate) async fn start(
        tun: TunId,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<HostEvent>,
    ) -> Result<Self, HostError> {
        let groups = [Link, Ipv4Ifaddr, Ipv6Ifaddr, Ipv4Route, Ipv6Route, Ipv4Rule, Ipv6Rule];
        let (connection, watching, messages) =
            rtnetlink::new_multicast_connection(&groups).map_err(HostError::Netlink)?;
        tokio::spawn(connection);
        // The connection ends when its handle goes: it goes with the stream.
        let messages = Box::pin(messages.map(move |(message, _)| {
            let _kept = &watching;
            message
        }));
        let kernel = Kernel::connect(tun.clone())?;
        let left = kernel.clear().await?;
        if left > 0 {
            tracing::info!(left, "removed what an earlier run left in the routing tables");
        }
        let network = kernel.network().await?;
        let allowance = Allowance::new(Instant::now());
        Ok(Self {
            kernel,
            tun,
            commands,
            events,
            messages,
            desired: None,
            network,
            look_at: None,
            lost: false,
            restore_at: None,
            allowance,
        })
    }

    pub(crate) async fn run(mut self) {
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => break,
                },
                Some(message) = self.messages.next() => self.note(&message),
                () = at(self.look_at) => self.look().await,
                () = at(self.restore_at) => self.restore().await,
            }
        }
        if let Err(error) = self.kernel.clear().await {
            tracing::warn!(%error, "could not take our routes away");
        }
    }

    async fn obey(&mut self, command: Command) {
        // Whether the asker still waits makes no difference to what was asked.
        match command {
            Command::Apply(desired, answer) => {
                let outcome = self.kernel.reconcile(&desired).await.map(drop);
                self.desired = Some(desired);
                let _gone: Result<(), _> = answer.send(outcome);
            }
            Command::Clear(answer) => {
                self.desired = None;
                self.restore_at = None;
                let _gone: Result<(), _> = answer.send(self.kernel.clear().await.map(drop));
            }
            Command::Network(answer) => {
                let _gone: Result<(), _> = answer.send(self.kernel.network().await);
            }
        }
    }

    fn note(&mut self, message: &NetlinkMessage<RouteNetlinkMessage>) {
        let about = about(message, &self.tun);
        let now = Instant::now();
        self.lost |= about == About::Network && is_loss(message, &self.network);
        if matches!(about, About::Network | About::Unknown) {
            self.look_at.get_or_insert(now + DEBOUNCE);
        }
        if matches!(about, About::OursGone | About::Unknown) && self.desired.is_some() {
            self.restore_at.get_or_insert(now + RESTORE_AFTER);
        }
    }

    /// Tells of the network if it is another one.
    async fn look(&mut self) {
        self.look_at = None;
        match self.kernel.network().await {
            Ok(network) if network != self.network || self.lost => {
                let is_break = self.lost || network.is_a_break_from(&self.network);
                if self.events.try_send(HostEvent::NetworkChanged { network: network.clone(), is_break }).is_ok() {
                    self.network = network;
                    self.lost = false;
                } else {
                    // The reader is behind: look again, and tell of what is true then.
                    self.look_at = Some(Instant::now() + DEBOUNCE);
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "could not look at the network"),
        }
    }

    /// Puts back what is missing, unless that happened too often lately.
    async fn restore(&mut self) {
        self.restore_at = None;
        let Some(desired) = &self.desired else { return };
        let now = Instant::now();
        if let Err(wait) = self.allowance.take(now) {
            self.restore_at = Some(now + wait);
            return;
        }
        match self.kernel.reconcile(desired).await {
            Ok(0) => self.allowance.give_back(),
            Ok(changes) => {
                tracing::warn!(changes, "somebody removed our addresses, routes or rules; put back");
                if self.events.try_send(HostEvent::Restored { changes }).is_err() {
                    tracing::debug!("nobody reads about restored routes");
                }
            }
            Err(error) => tracing::warn!(%error, "could not put our routes back"),
        }
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => pending().await,
    }
}

fn about(message: &NetlinkMessage<RouteNetlinkMessage>, tun: &TunId) -> About {
    use RouteNetlinkMessage::{DelAddress, DelLink, DelRoute, DelRule, NewAddress, NewLink, NewRoute};
    let message = match &message.payload {
        NetlinkPayload::InnerMessage(message) => message,
        NetlinkPayload::Overrun(_) => return About::Unknown,
        _ => return About::Nothing,
    };
    match message {
        DelRule(rule) if Rule::recognise(rule).is_some() => About::OursGone,
        DelRoute(route) if route.header.table == TABLE => About::OursGone,
        NewRoute(route) if route.header.table == TABLE => About::Nothing,
        DelAddress(address) if address.header.index == tun.index => About::OursGone,
        NewAddress(address) if address.header.index == tun.index => About::Nothing,
        NewLink(link) if link.header.index == tun.index => {
            if link.header.flags.contains(LinkFlags::Up) {
                About::Nothing
            } else {
                About::OursGone
            }
        }
        NewRoute(_) | DelRoute(_) | NewAddress(_) | DelAddress(_) | NewLink(_) | DelLink(_) => About::Network,
        _ => About::Nothing,
    }
}

/// Whether the kernel took something away that this network has.
fn is_loss(message: &NetlinkMessage<RouteNetlinkMessage>, network: &Network) -> bool {
    match &message.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelAddress(address)) => {
            address.attributes.iter().any(|attribute| match attribute {
                AddressAttribute::Local(gone) | AddressAttribute::Address(gone) => {
                    network.addresses().any(|ours| ours == *gone)
                }
                _ => false,
            })
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelRoute(route)) => {
            route.header.destination_prefix_length == 0 && route.header.table == TABLE_MAIN && network.is_online()
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
            !link.header.flags.contains(LinkFlags::Up)
                && network.interfaces.iter().any(|interface| interface.index == link.header.index)
        }
        _ => false,
    }
}

/// So many at once, then one in a while.
struct Allowance {
    left: u32,
    refilled: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self { left: RESTORE_BURST, refilled: now }
    }

    /// Takes one, or says how long to wait for it.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        while self.left < RESTORE_BURST && now.duration_since(self.refilled) >= RESTORE_EVERY {
            self.left += 1;
            self.refilled += RESTORE_EVERY;
        }
        match self.left {
            0 => Err(RESTORE_EVERY - now.duration_since(self.refilled)),
            RESTORE_BURST => {
                self.refilled = now;
                self.left -= 1;
                Ok(())
            }
            _ => {
                self.left -= 1;
                Ok(())
            }
        }
    }

    fn give_back(&mut self) {
        self.left = (self.left + 1).min(RESTORE_BURST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_restoring_waits_its_turn() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        for _ in 0..RESTORE_BURST {
            assert_eq!(allowance.take(start), Ok(()));
        }
        assert_eq!(allowance.take(start), Err(RESTORE_EVERY));
        let later = start + RESTORE_EVERY;
        assert_eq!(allowance.take(later), Ok(()));
        assert_eq!(allowance.take(later), Err(RESTORE_EVERY));
        allowance.give_back();
        assert_eq!(allowance.take(later), Ok(()));
    }

    #[test]
    fn a_quiet_time_fills_the_burst_again_and_no_more() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let later = start + RESTORE_EVERY * 1000;
        for _ in 0..RESTORE_BURST {
            assert_eq!(allowance.take(later), Ok(()));
        }
        assert!(allowance.take(later).is_err());
    }
}
