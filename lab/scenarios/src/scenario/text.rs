//! The form of stories: one fact a line. The crate's documentation describes it. Here it is read, in `write` written.

mod write;

use std::time::Duration;

use wattle_world::Dependence;

use super::{Access, Edge, NatSpec, NodeSpec, Place, Ports, Scenario, Site};
use crate::limits;
use crate::transition::{Block, Direction, Expectation, RelayState, Spot, Step};

/// A line that is no story.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

const EVERY: Duration = Duration::from_millis(20);
const SIZE: u16 = 100;

impl Scenario {
    /// Reads a story.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut scenario = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace().peekable();
            if words.peek().is_none() {
                continue;
            }
            let read = scenario.read(&mut words).and_then(|()| match words.next() {
                Some(word) => Err(format!("{word:?} is one word too many")),
                None => Ok(()),
            });
            read.map_err(|why| ParseError { line: index + 1, why })?;
        }
        if scenario.relays.is_empty() {
            scenario.relays = vec![1, 2];
        }
        scenario.steps.sort_by_key(|(at, _)| *at);
        let last = scenario.steps.last().map_or(Duration::ZERO, |(at, _)| *at);
        scenario.until = scenario.until.max(last);
        Ok(scenario)
    }

    fn read(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        match next(words)? {
            "seed" => self.seed = number(words)?,
            "relay" => {
                let region = number(words)?;
                full(self.relays.len(), limits::RELAYS_MAX, "relays")?;
                self.relays.push(region);
            }
            "site" => {
                full(self.sites.len(), limits::SITES_MAX, "sites")?;
                let site = self.site(words)?;
                self.sites.push(site);
            }
            "node" => {
                full(self.nodes.len(), limits::NODES_MAX, "nodes")?;
                let name = self.fresh_name(words)?;
                let place = self.place(words)?;
                self.nodes.push(NodeSpec { name, place });
            }
            "idle-peers" => {
                self.idle_peers = number(words)?;
                full(self.idle_peers, limits::IDLE_PEERS_MAX + 1, "idle peers")?;
            }
            "policy" => self.policy = self.access(words)?,
            "at" => {
                full(self.steps.len(), limits::STEPS_MAX, "steps")?;
                let at = duration(words)?;
                let both_ways = words.peek() == Some(&"talk");
                let step = self.step(words)?;
                if both_ways && let Step::Tell { from, to, length, every, size } = step {
                    self.steps.push((at, Step::Tell { from: to, to: from, length, every, size }));
                }
                self.steps.push((at, step));
            }
            "until" => self.until = duration(words)?,
            other => return Err(format!("{other:?} begins no fact")),
        }
        Ok(())
    }

    fn fresh_name(&self, words: &mut Words<'_>) -> Result<String, String> {
        let name = next(words)?;
        let good = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && name != "open";
        if !good || name.len() > limits::NAME_CHARS_MAX {
            return Err(format!("{name:?} cannot be a name"));
        }
        if self.spot_named(name).is_some() {
            return Err(format!("{name:?} is there already"));
        }
        Ok(name.to_owned())
    }

    fn site(&self, words: &mut Words<'_>) -> Result<Site, String> {
        let name = self.fresh_name(words)?;
        let mut edge = match next(words)? {
            "nat" => {
                let (mapping, filtering) =
                    next(words)?.split_once('/').ok_or("a NAT is ei, ad or apd, twice: ei/apd")?;
                let (mapping, filtering) = (dependence(mapping)?, dependence(filtering)?);
                Edge::Nat(NatSpec { mapping, filtering, ..NatSpec::HOME })
            }
            "firewall" => Edge::Firewall,
            "only443" => Edge::Only443,
            "ipv6" => Edge::Ipv6,
            other => return Err(format!("{other:?} is no edge: nat, firewall, only443 or ipv6")),
        };
        let (mut inside, mut v6) = (None, false);
        while let Some(word) = words.next() {
            match (word, &mut edge) {
                ("v6", _) => v6 = true,
                ("in", _) => inside = Some(self.site_named(next(words)?)?),
                ("life", Edge::Nat(nat)) => nat.lifetime = duration(words)?,
                ("hairpin", Edge::Nat(nat)) => nat.hairpin = true,
                ("portmap", Edge::Nat(nat)) => nat.portmap = true,
                ("ports", Edge::Nat(nat)) => {
                    nat.ports = match next(words)? {
                        "keep" => Ports::Keep,
                        "random" => Ports::Random,
                        "sequential" => Ports::Sequential,
                        other => return Err(format!("{other:?} is no way to choose ports")),
                    }
                }
                (other, _) => return Err(format!("{other:?} says nothing about a site")),
            }
        }
        Ok(Site { name, edge, v6, inside })
    }

    /// `open`, or `in` and a site.
    fn place(&self, words: &mut Words<'_>) -> Result<Place, String> {
        match next(words)? {
            "open" => Ok(Place::Open),
            "in" => Ok(Place::In(self.site_named(next(words)?)?)),
            site => Ok(Place::In(self.site_named(site)?)),
        }
    }

    fn access(&self, words: &mut Words<'_>) -> Result<Access, String> {
        match words.peek() {
            Some(&"all") => {
                words.next();
                return Ok(Access::All);
            }
            Some(&"none") => {
                words.next();
                return Ok(Access::Pairs(Vec::new()));
            }
            _ => {}
        }
        let pair = |word: &str| {
            let (from, to) = word.split_once('>').ok_or("a policy is all, none, or pairs such as a>b")?;
            Ok::<_, String>((self.node_named(from)?, self.node_named(to)?))
        };
        words.map(pair).collect::<Result<_, _>>().map(Access::Pairs)
    }

    fn step(&self, words: &mut Words<'_>) -> Result<Step, String> {
        let node = |words: &mut Words<'_>| self.node_named(next(words)?);
        let site = |words: &mut Words<'_>| self.site_named(next(words)?);
        let spot = |words: &mut Words<'_>| {
            let name = next(words)?;
            self.spot_named(name).ok_or_else(|| format!("{name:?} is neither a site nor a node"))
        };
        let on = |words: &mut Words<'_>| match next(words)? {
            "up" | "on" => Ok(true),
            "down" | "off" => Ok(false),
            other => Err(format!("{other:?} should be up or down")),
        };
        Ok(match next(words)? {
            "say" => {
                let (from, to) = (node(words)?, node(words)?);
                Step::Say { from, to, size: Options::read(words)?.size }
            }
            "talk" | "tell" => {
                let (from, to) = (node(words)?, node(words)?);
                let Options { length, every, size } = Options::read(words)?;
                Step::Tell { from, to, length, every, size }
            }
            "transfer" => {
                let (from, to) = (node(words)?, node(words)?);
                let bytes = number(words)?;
                full(bytes as usize, limits::TRANSFER_BYTES_MAX, "bytes")?;
                Step::Transfer { from, to, bytes }
            }
            "ping" => Step::Ping { from: node(words)?, to: node(words)? },
            "hush" => Step::Hush,
            "roam" => Step::Roam { node: node(words)?, place: self.place(words)? },
            "sleep" => Step::Sleep(node(words)?),
            "wake" => Step::Wake(node(words)?),
            "kill" => Step::Kill(node(words)?),
            "start" => Step::Start(node(words)?),
            "reboot" => Step::Reboot(site(words)?),
            "rebind" => Step::Rebind(site(words)?),
            "uplink" => Step::Uplink { spot: spot(words)?, up: on(words)? },
            "block" => Step::Block { spot: spot(words)?, what: block(next(words)?)? },
            "loss" => {
                let spot = spot(words)?;
                let direction = match next(words)? {
                    "in" => Direction::In,
                    "out" => Direction::Out,
                    other => return Err(format!("{other:?} should be in or out")),
                };
                Step::Loss { spot, direction, per_thousand: number(words)? }
            }
            "mtu" => Step::Mtu { spot: spot(words)?, bytes: number(words)? },
            "relay" => {
                let region = number(words)?;
                let implied = self.relays.is_empty() && (1..=2).contains(&region);
                if !implied && !self.relays.contains(&region) {
                    return Err(format!("there is no relay {region}"));
                }
                let state = match next(words)? {
                    "up" => RelayState::Up,
                    "down" => RelayState::Down,
                    "stall" => RelayState::Stalled,
                    other => return Err(format!("{other:?} should be up, down or stall")),
                };
                Step::Relay { region, state }
            }
            "coordinator" => Step::Coordinator { up: on(words)? },
            "policy" => Step::Policy(self.access(words)?),
            "remove" => Step::Remove(node(words)?),
            "portmap" => Step::PortMap { site: site(words)?, on: on(words)? },
            "expect" => Step::Expect(match next(words)? {
                "direct" => Expectation::Direct(node(words)?, node(words)?),
                "relayed" => Expectation::Relayed(node(words)?, node(words)?),
                "flows" => Expectation::Flows(node(words)?, node(words)?),
                "stall" => Expectation::Stall(node(words)?, node(words)?, duration(words)?),
                "silent" => Expectation::Silent,
                other => return Err(format!("{other:?} cannot be expected")),
            }),
            other => return Err(format!("{other:?} cannot happen")),
        })
    }

    fn node_named(&self, name: &str) -> Result<usize, String> {
        self.nodes.iter().position(|node| node.name == name).ok_or_else(|| format!("there is no node {name:?}"))
    }

    fn site_named(&self, name: &str) -> Result<usize, String> {
        self.sites.iter().position(|site| site.name == name).ok_or_else(|| format!("there is no site {name:?}"))
    }

    fn spot_named(&self, name: &str) -> Option<Spot> {
        self.site_named(name).map(Spot::Site).or_else(|_| self.node_named(name).map(Spot::Node)).ok()
    }
}

/// What may follow the two nodes of `talk`.
struct Options {
    length: Duration,
    every: Duration,
    size: u16,
}

impl Options {
    fn read(words: &mut Words<'_>) -> Result<Self, String> {
        let mut options = Self { length: Duration::from_secs(10), every: EVERY, size: SIZE };
        while let Some(word) = words.next() {
            match word {
                "for" => options.length = duration(words)?,
                "every" => options.every = duration(words)?.max(limits::TALK_EVERY_MIN),
                "size" => options.size = number::<u16>(words)?.min(limits::PAYLOAD_MAX),
                other => return Err(format!("{other:?} says nothing about talking")),
            }
        }
        Ok(options)
    }
}

fn next<'a>(words: &mut Words<'a>) -> Result<&'a str, String> {
    words.next().ok_or_else(|| "a word is missing".to_owned())
}

fn full(count: usize, limit: usize, what: &str) -> Result<(), String> {
    if count < limit { Ok(()) } else { Err(format!("too many {what}")) }
}

fn number<T: std::str::FromStr>(words: &mut Words<'_>) -> Result<T, String> {
    let word = next(words)?;
    word.parse().map_err(|_| format!("{word:?} is no such number"))
}

fn duration(words: &mut Words<'_>) -> Result<Duration, String> {
    let word = next(words)?;
    let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (count, unit) = word.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return Err(format!("{word:?} is no time such as 250ms, 10s or 2m")),
    };
    let count: u64 = count.parse().map_err(|_| format!("{word:?} is no time"))?;
    Ok(Duration::from_millis(count.saturating_mul(milliseconds)).min(limits::LENGTH_MAX))
}

fn dependence(word: &str) -> Result<Dependence, String> {
    match word {
        "ei" => Ok(Dependence::EndpointIndependent),
        "ad" => Ok(Dependence::AddressDependent),
        "apd" => Ok(Dependence::AddressAndPortDependent),
        other => Err(format!("{other:?} should be ei, ad or apd")),
    }
}

fn block(word: &str) -> Result<Block, String> {
    BLOCKS
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, block)| *block)
        .ok_or_else(|| format!("{word:?} cannot be blocked: {}", BLOCKS.map(|(name, _)| name).join(", ")))
}

const BLOCKS: [(&str, Block); 5] = [
    ("nothing", Block::Nothing),
    ("udp", Block::Udp),
    ("disco", Block::Disco),
    ("data", Block::Data),
    ("wireguard", Block::WireGuard),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_seed_makes_can_be_written_and_read_again() {
        for seed in 0..500 {
            let scenario = Scenario::from_seed(seed);
            let text = scenario.to_string();
            assert_eq!(Scenario::parse(&text).as_ref(), Ok(&scenario), "{text}");
        }
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let text = "node a open\n\nat 5s fly a # to the moon\n";
        let error = Scenario::parse(text).unwrap_err();
        assert_eq!(error.to_string(), "line 3: \"fly\" cannot happen");
        for text in ["node a in nowhere", "site x nat ei", "at 5 hush", "node a open\nnode a open", "until 1s 2s"] {
            assert!(Scenario::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn talking_goes_both_ways_and_telling_one() {
        let tells = |line: &str| {
            let text = format!("node a open\nnode b open\nat 1s {line} a b for 5s");
            Scenario::parse(&text).unwrap().steps.len()
        };
        assert_eq!((tells("talk"), tells("tell")), (2, 1));
    }
}
