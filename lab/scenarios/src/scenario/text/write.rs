//! Scenarios as stories say them.

use std::fmt;
use std::time::Duration;

use wattle_world::Dependence;

use super::BLOCKS;
use crate::scenario::{Access, Edge, NatSpec, NodeSpec, Place, Ports, Scenario, Site};
use crate::transition::{Direction, Expectation, RelayState, Spot, Step};

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let site = |index: &usize| self.sites.get(*index).map_or("?", |site| site.name.as_str());
        writeln!(f, "seed {}", self.seed)?;
        for region in &self.relays {
            writeln!(f, "relay {region}")?;
        }
        for Site { name, edge, v6, inside } in &self.sites {
            write!(f, "site {name} ")?;
            match edge {
                Edge::Nat(nat) => nat.write(f)?,
                Edge::Firewall => write!(f, "firewall")?,
                Edge::Only443 => write!(f, "only443")?,
                Edge::Ipv6 => write!(f, "ipv6")?,
            }
            if *v6 {
                write!(f, " v6")?;
            }
            match inside {
                Some(outer) => writeln!(f, " in {}", site(outer))?,
                None => writeln!(f)?,
            }
        }
        for NodeSpec { name, place } in &self.nodes {
            writeln!(f, "node {name} {}", self.place_text(place))?;
        }
        if self.idle_peers > 0 {
            writeln!(f, "idle-peers {}", self.idle_peers)?;
        }
        writeln!(f, "policy {}", self.access_text(&self.policy))?;
        for (at, step) in &self.steps {
            writeln!(f, "at {} {}", time(*at), self.step_text(step))?;
        }
        writeln!(f, "until {}", time(self.until))
    }
}

impl Scenario {
    fn place_text(&self, place: &Place) -> String {
        match place {
            Place::Open => "open".to_owned(),
            Place::In(site) => format!("in {}", self.spot_text(Spot::Site(*site))),
        }
    }

    fn access_text(&self, access: &Access) -> String {
        match access {
            Access::All => "all".to_owned(),
            Access::Pairs(pairs) if pairs.is_empty() => "none".to_owned(),
            Access::Pairs(pairs) => {
                let pair = |(from, to): &(usize, usize)| format!("{}>{}", self.name(*from), self.name(*to));
                pairs.iter().map(pair).collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// A node's name.
    pub fn name(&self, node: usize) -> &str {
        self.nodes.get(node).map_or("?", |node| node.name.as_str())
    }

    fn spot_text(&self, spot: Spot) -> &str {
        match spot {
            Spot::Site(site) => self.sites.get(site).map_or("?", |site| site.name.as_str()),
            Spot::Node(node) => self.name(node),
        }
    }

    /// A step as a story says it.
    pub fn step_text(&self, step: &Step) -> String {
        let (name, spot) = (|node: &usize| self.name(*node), |spot: &Spot| self.spot_text(*spot));
        let site = |site: &usize| self.spot_text(Spot::Site(*site));
        let up = |up: &bool| if *up { "up" } else { "down" };
        match step {
            Step::Say { from, to, size } => format!("say {} {} size {size}", name(from), name(to)),
            Step::Tell { from, to, length, every, size } => {
                let (length, every) = (time(*length), time(*every));
                format!("tell {} {} for {length} every {every} size {size}", name(from), name(to))
            }
            Step::Transfer { from, to, bytes } => format!("transfer {} {} {bytes}", name(from), name(to)),
            Step::Ping { from, to } => format!("ping {} {}", name(from), name(to)),
            Step::Hush => "hush".to_owned(),
            Step::Roam { node, place } => format!("roam {} {}", name(node), self.place_text(place)),
            Step::Sleep(node) => format!("sleep {}", name(node)),
            Step::Wake(node) => format!("wake {}", name(node)),
            Step::Kill(node) => format!("kill {}", name(node)),
            Step::Start(node) => format!("start {}", name(node)),
            Step::Reboot(at) => format!("reboot {}", site(at)),
            Step::Rebind(at) => format!("rebind {}", site(at)),
            Step::Uplink { spot: at, up: is } => format!("uplink {} {}", spot(at), up(is)),
            Step::Block { spot: at, what } => {
                let word = BLOCKS.iter().find(|(_, block)| block == what).map_or("nothing", |(word, _)| word);
                format!("block {} {word}", spot(at))
            }
            Step::Loss { spot: at, direction, per_thousand } => {
                let way = if *direction == Direction::In { "in" } else { "out" };
                format!("loss {} {way} {per_thousand}", spot(at))
            }
            Step::Mtu { spot: at, bytes } => format!("mtu {} {bytes}", spot(at)),
            Step::Relay { region, state } => {
                let word = match state {
                    RelayState::Up => "up",
                    RelayState::Down => "down",
                    RelayState::Stalled => "stall",
                };
                format!("relay {region} {word}")
            }
            Step::Coordinator { up: is } => format!("coordinator {}", up(is)),
            Step::Policy(access) => format!("policy {}", self.access_text(access)),
            Step::Remove(node) => format!("remove {}", name(node)),
            Step::PortMap { site: at, on } => format!("portmap {} {}", site(at), if *on { "on" } else { "off" }),
            Step::Expect(Expectation::Direct(a, b)) => format!("expect direct {} {}", name(a), name(b)),
            Step::Expect(Expectation::Relayed(a, b)) => format!("expect relayed {} {}", name(a), name(b)),
            Step::Expect(Expectation::Flows(a, b)) => format!("expect flows {} {}", name(a), name(b)),
            Step::Expect(Expectation::Stall(a, b, length)) => {
                format!("expect stall {} {} {}", name(a), name(b), time(*length))
            }
            Step::Expect(Expectation::Silent) => "expect silent".to_owned(),
        }
    }
}

impl NatSpec {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |dependence| match dependence {
            Dependence::EndpointIndependent => "ei",
            Dependence::AddressDependent => "ad",
            Dependence::AddressAndPortDependent => "apd",
        };
        let ports = match self.ports {
            Ports::Keep => "keep",
            Ports::Random => "random",
            Ports::Sequential => "sequential",
        };
        write!(f, "nat {}/{} ports {ports} life {}", word(self.mapping), word(self.filtering), time(self.lifetime))?;
        let marks = [(self.hairpin, " hairpin"), (self.portmap, " portmap")];
        marks.iter().filter(|(is, _)| *is).try_for_each(|(_, mark)| write!(f, "{mark}"))
    }
}

fn time(time: Duration) -> String {
    let milliseconds = time.as_millis();
    if milliseconds.is_multiple_of(1000) { format!("{}s", milliseconds / 1000) } else { format!("{milliseconds}ms") }
}
