//! What can happen in a scenario.

use std::time::Duration;

use crate::scenario::{Access, Place};

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A node sends another one packet.
    Say {
        /// Who.
        from: usize,
        /// To whom.
        to: usize,
        /// Bytes of its payload.
        size: u16,
    },
    /// A node sends another packets for a while.
    Tell {
        /// Who.
        from: usize,
        /// To whom.
        to: usize,
        /// For how long.
        length: Duration,
        /// Between two packets.
        every: Duration,
        /// Bytes of each payload.
        size: u16,
    },
    /// A node sends another so many bytes that must all arrive, as TCP would.
    Transfer {
        /// Who.
        from: usize,
        /// To whom.
        to: usize,
        /// How much.
        bytes: u32,
    },
    /// A person pings a node from another, below the tunnel.
    Ping {
        /// Who.
        from: usize,
        /// Whom.
        to: usize,
    },
    /// Nobody says anything any more.
    Hush,
    /// A node moves to another network.
    Roam {
        /// Who.
        node: usize,
        /// Where to.
        place: Place,
    },
    /// A node's host sleeps.
    Sleep(usize),
    /// It wakes.
    Wake(usize),
    /// A node's process is killed.
    Kill(usize),
    /// It starts again, with its key.
    Start(usize),
    /// A NAT restarts: its mappings are gone.
    Reboot(usize),
    /// A NAT gives its mappings other outside ports.
    Rebind(usize),
    /// A site or a node loses its way to the outside, or gets it back.
    Uplink {
        /// Whose.
        spot: Spot,
        /// Whether it is there.
        up: bool,
    },
    /// Some kinds of datagrams stop passing.
    Block {
        /// Whose uplink.
        spot: Spot,
        /// What does not pass.
        what: Block,
    },
    /// Datagrams are lost by chance.
    Loss {
        /// Whose uplink.
        spot: Spot,
        /// Which way.
        direction: Direction,
        /// Of a thousand, so many.
        per_thousand: u16,
    },
    /// Datagrams whose IP packet is larger vanish.
    Mtu {
        /// Whose uplink.
        spot: Spot,
        /// The largest IP packet that passes.
        bytes: u16,
    },
    /// A relay dies, stalls or comes back.
    Relay {
        /// Its region.
        region: u16,
        /// What it does now.
        state: RelayState,
    },
    /// The coordination server dies or comes back.
    Coordinator {
        /// Whether it runs.
        up: bool,
    },
    /// Another policy is put in force.
    Policy(Access),
    /// A node is removed from the tailnet.
    Remove(usize),
    /// A NAT begins or ceases to map ports for those who ask.
    PortMap {
        /// Which site.
        site: usize,
        /// Whether it does.
        on: bool,
    },
    /// What must be true now.
    Expect(Expectation),
}

/// Whose uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// A site's.
    Site(usize),
    /// A node's own.
    Node(usize),
}

/// What a box on the way drops, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Block {
    /// Nothing.
    #[default]
    Nothing,
    /// Every datagram.
    Udp,
    /// Path discovery.
    Disco,
    /// Sealed packets.
    Data,
    /// All of WireGuard: sealed packets and handshakes.
    WireGuard,
}

/// A direction, seen from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To it.
    In,
    /// From it.
    Out,
}

/// What a relay does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelayState {
    /// It works.
    #[default]
    Up,
    /// It is gone: connections break.
    Down,
    /// It takes and says nothing; connections stay.
    Stalled,
}

/// What a story expects at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Data of both goes straight to the other and no other way.
    Direct(usize, usize),
    /// Data of the first for the second goes by a relay, perhaps among others.
    Relayed(usize, usize),
    /// Of the packets of the last seconds from the first to the second some came.
    Flows(usize, usize),
    /// The transfers from the first to the second never stood still for longer.
    Stall(usize, usize, Duration),
    /// No node has sent a datagram in the last ten seconds.
    Silent,
}
