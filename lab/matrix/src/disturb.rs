//! What a disturbance costs: a TCP transfer and fifty pings a second run through the tunnel while something happens to the
//! network, to a node, or to a server.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Serialize;
use wattle_netns::{Conditions, Direction, Families, Nat, PortMapping, Router, Six, Traffic, Underlay, WireConditions};

use crate::limits::{LOOK, SETTLE};
use crate::matrix::Path;
use crate::{Client, Node, Pinger, Programs, Relays, Site, Transfer};

const PORTS: [u16; 2] = [41_641, 41_642];
/// How long both get to find the path that they should have before anything happens.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long everything must have been well before something happens.
const CALM: Duration = Duration::from_secs(2);
/// How long is watched after something has happened.
const WATCH: Duration = Duration::from_secs(20);
/// The last part of it, in which traffic must flow.
const END: Duration = Duration::from_secs(3);
/// Direct data that does not come for this long has stopped.
const PAUSE: Duration = Duration::from_millis(300);
/// How long a machine sleeps, and a server is away.
const AWAY: Duration = Duration::from_secs(10);

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// A laptop is carried to another network.
    Roam,
    /// A machine sleeps for ten seconds.
    Sleep,
    /// The router forgets its mappings and makes other ones.
    NatRebind,
    /// The relay that carries everything dies.
    RelayDeath,
    /// The home relay dies beside a direct path.
    RelayDeathDirect,
    /// The coordination server dies, and comes back.
    CoordinatorDeath,
    /// The router forgets its mappings while the coordination server is dead.
    RebindWithoutCoordinator,
    /// Disco passes, WireGuard does not.
    DataBlocked,
    /// WireGuard passes, disco does not.
    DiscoBlocked,
    /// Nearly every third packet is lost, in one direction.
    OneWayLoss,
    /// A cable on the way carries 1280 bytes at once, and routers say so.
    Mtu1280,
    /// The same, and nobody says so.
    Mtu1280Silent,
    /// The router that opened a port restarts without it.
    PortMappingLost,
}

/// Every case, in the order in which they are measured.
pub const CASES: [Case; 13] = [
    Case::Roam,
    Case::Sleep,
    Case::NatRebind,
    Case::RelayDeath,
    Case::RelayDeathDirect,
    Case::CoordinatorDeath,
    Case::RebindWithoutCoordinator,
    Case::DataBlocked,
    Case::DiscoBlocked,
    Case::OneWayLoss,
    Case::Mtu1280,
    Case::Mtu1280Silent,
    Case::PortMappingLost,
];

/// What a case cost.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// What happened.
    pub case: &'static str,
    /// To whose client.
    pub client: &'static str,
    /// How data went before,
    pub path_before: Path,
    /// and at the end.
    pub path_after: Path,
    /// The longest time in which the transfer stood still. Time in which there was no way at all, as in sleep, does not count.
    pub stall_ms: u64,
    /// Pings that were sent while there was a way and not answered,
    pub lost: usize,
    /// and how long it took from the first of them to the last.
    pub lost_span_ms: u64,
    /// Whether transfer and pings went on at the end.
    pub flows: bool,
    /// Until data went directly, where it was not so at once.
    pub direct_after_ms: Option<u64>,
}

impl Case {
    /// The words to show people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Roam => "roam",
            Self::Sleep => "sleep",
            Self::NatRebind => "nat-rebind",
            Self::RelayDeath => "relay-death",
            Self::RelayDeathDirect => "relay-death-direct",
            Self::CoordinatorDeath => "coordinator-death",
            Self::RebindWithoutCoordinator => "rebind-without-coordinator",
            Self::DataBlocked => "data-blocked",
            Self::DiscoBlocked => "disco-blocked",
            Self::OneWayLoss => "one-way-loss-30",
            Self::Mtu1280 => "mtu-1280",
            Self::Mtu1280Silent => "mtu-1280-silent",
            Self::PortMappingLost => "port-mapping-lost",
        }
    }

    /// How the networks of the two nodes translate.
    const fn nats(self) -> (Nat, Nat) {
        match self {
            // Two strict NATs: everything goes by relay.
            Self::RelayDeath => (Nat::Symmetric, Nat::Symmetric),
            Self::PortMappingLost => (Nat::Symmetric, Nat::PortRestricted),
            Self::Roam
            | Self::Sleep
            | Self::NatRebind
            | Self::RelayDeathDirect
            | Self::CoordinatorDeath
            | Self::RebindWithoutCoordinator
            | Self::DataBlocked
            | Self::DiscoBlocked
            | Self::OneWayLoss
            | Self::Mtu1280
            | Self::Mtu1280Silent => (Nat::PortRestricted, Nat::PortRestricted),
        }
    }
}

impl Cost {
    /// Whether traffic flows in the end, and the transfer stood still for no longer than a bound.
    pub fn holds(&self, stall_max: Duration) -> bool {
        self.flows && u128::from(self.stall_ms) <= stall_max.as_millis()
    }
}

/// Measures cases one by one, each in a lab of its own; `tell` hears of each.
pub fn run(
    programs: &Programs,
    client: Client,
    cases: &[Case],
    latency: Duration,
    mut tell: impl FnMut(&Cost),
) -> anyhow::Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for case in cases {
        let cost = Stage::set(programs, client, *case, latency)
            .and_then(Stage::play)
            .with_context(|| format!("{} with {} clients", case.name(), client.name()))?;
        tell(&cost);
        costs.push(cost);
    }
    Ok(costs)
}

/// Two nodes, each behind two routers in a row, and a third network to roam to.
struct Stage {
    case: Case,
    client: Client,
    a: Node,
    b: Node,
    /// The outer one, where things happen, and the inner one before `a`.
    routers: (Router, Router),
    elsewhere: Router,
    mapping: Option<PortMapping>,
    site: Site,
}

/// What ran and what was seen.
struct Traffics {
    underlay: Underlay,
    pinger: Pinger,
    transfer: Transfer,
}

/// That it happened.
struct Happened {
    /// Since when there has been a way again.
    way_since: Instant,
}

impl Stage {
    fn set(programs: &Programs, client: Client, case: Case, latency: Duration) -> anyhow::Result<Self> {
        let wire = Some(WireConditions::slow(latency));
        let mut site = Site::new(programs, Families::Four, Relays::Apart(2), wire)?;
        let (nat_a, nat_b) = case.nats();
        let outer = site.lab.router("a-isp", Nat::PortRestricted, Six::None)?;
        // A port that is opened in the inner one of two routers is of no use, so that case has but one.
        let inner = match case {
            Case::PortMappingLost => site.lab.router("a-home", nat_a, Six::None)?,
            _ => site.lab.router_behind(&outer, "a-home", nat_a, Six::None)?,
        };
        let far = site.lab.router("b-home", nat_b, Six::None)?;
        let elsewhere = site.lab.router("cafe", Nat::PortRestricted, Six::None)?;
        let mapping = match case {
            Case::PortMappingLost => Some(PortMapping::start(&site.lab, &inner)?),
            _ => None,
        };
        let host_a = site.lab.host_at(&inner, "a")?;
        let host_b = site.lab.host_at(&far, "b")?;
        let a = site.join(&host_a, client, PORTS[0])?;
        let b = site.join(&host_b, client, PORTS[1])?;
        std::thread::sleep(SETTLE);
        Ok(Self { case, client, a, b, routers: (outer, inner), elsewhere, mapping, site })
    }

    fn play(mut self) -> anyhow::Result<Cost> {
        let traffics = Traffics {
            underlay: Underlay::watch(&self.a.host)?,
            pinger: Pinger::start(&self.a, &self.b)?,
            transfer: Transfer::start(&self.b, &self.a)?,
        };
        let wanted = if self.case == Case::RelayDeath { Path::Relay } else { Path::Direct };
        let path_before = traffics.calm_down(wanted);
        let happened = self.happen()?;
        let direct_again = traffics.watch(&happened);
        let end = Instant::now();
        let path_after = traffics.path(END);
        let flows = traffics.flows(END);
        traffics.pinger.finish();
        let loss = traffics.pinger.loss(happened.way_since, end);
        let stall = traffics.transfer.longest_stall(happened.way_since, end);
        Ok(Cost {
            case: self.case.name(),
            client: self.client.name(),
            path_before,
            path_after,
            stall_ms: millis(stall),
            lost: loss.lost,
            lost_span_ms: millis(loss.span),
            flows,
            direct_after_ms: direct_again.map(|at| millis(at.saturating_duration_since(happened.way_since))),
        })
    }

    fn happen(&mut self) -> anyhow::Result<Happened> {
        let mut way_since = Instant::now();
        match self.case {
            Case::Roam => self.site.lab.roam(&mut self.a.host, &self.elsewhere)?,
            Case::Sleep => {
                self.a.freeze(true)?;
                self.a.host.set_link(false)?;
                std::thread::sleep(AWAY);
                way_since = Instant::now();
                self.a.freeze(false)?;
                self.a.host.set_link(true)?;
            }
            Case::NatRebind => self.rebind()?,
            Case::RelayDeath | Case::RelayDeathDirect => {
                let home = self.a.home()?;
                self.site.kill_relay(&home)?;
            }
            Case::CoordinatorDeath => {
                self.site.kill_control()?;
                std::thread::sleep(AWAY);
                self.site.start_control()?;
            }
            Case::RebindWithoutCoordinator => {
                self.site.kill_control()?;
                std::thread::sleep(Duration::from_secs(1));
                self.rebind()?;
            }
            Case::DataBlocked => self.drop_both_ways(Traffic::WireGuard)?,
            Case::DiscoBlocked => self.drop_both_ways(Traffic::Disco)?,
            Case::OneWayLoss => {
                let loss_percent = Some((Direction::In, 30));
                self.routers.0.set_conditions(&Conditions { loss_percent, ..Conditions::default() })?;
            }
            Case::Mtu1280 => self.routers.1.set_mtu(1280)?,
            Case::Mtu1280Silent => {
                let silent = Conditions { silent_too_big: true, ..Conditions::default() };
                self.routers.0.set_conditions(&silent)?;
                self.routers.1.set_conditions(&silent)?;
                self.routers.1.set_mtu(1280)?;
            }
            Case::PortMappingLost => {
                let mapping = self.mapping.take().context("this case has a port mapping")?;
                self.mapping = Some(mapping.restart(&self.site.lab)?);
                self.rebind()?;
            }
        }
        Ok(Happened { way_since })
    }

    /// The router next to `a` is switched off and on, and maps its port to another one.
    fn rebind(&self) -> anyhow::Result<()> {
        Ok(self.routers.1.reboot(&[self.a.port()], true)?)
    }

    fn drop_both_ways(&self, traffic: Traffic) -> anyhow::Result<()> {
        let dropped = vec![(Direction::Out, traffic), (Direction::In, traffic)];
        Ok(self.routers.0.set_conditions(&Conditions { dropped, ..Conditions::default() })?)
    }
}

impl Traffics {
    /// Waits until data goes as it should and all has been well for a while; how it goes.
    fn calm_down(&self, wanted: Path) -> Path {
        let deadline = Instant::now() + PATIENCE;
        let mut well_since = Instant::now();
        while Instant::now() < deadline && well_since.elapsed() < CALM {
            std::thread::sleep(LOOK * 5);
            if !self.flows(CALM / 4) || self.path(CALM / 4) != wanted {
                well_since = Instant::now();
            }
        }
        self.path(CALM / 2)
    }

    /// Watches for as long as a case is watched; when direct data began to come again after it had stopped.
    fn watch(&self, happened: &Happened) -> Option<Instant> {
        let (mut paused, mut again) = (false, None);
        while happened.way_since.elapsed() < WATCH {
            std::thread::sleep(LOOK);
            if let Some(last) = self.underlay.direct().last_in.filter(|last| *last >= happened.way_since) {
                if paused && last.elapsed() < PAUSE {
                    again = Some(last);
                }
                paused = last.elapsed() >= PAUSE;
            } else {
                paused = true;
            }
        }
        again
    }

    /// How data went in the last while.
    fn path(&self, span: Duration) -> Path {
        let since = Instant::now() - span;
        if self.underlay.direct().since(since) {
            Path::Direct
        } else if self.underlay.peer_relay().since(since) {
            Path::PeerRelay
        } else if self.pinger.answered_since(since) {
            Path::Relay
        } else {
            Path::None
        }
    }

    /// Whether the transfer and the pings went on in the last while.
    fn flows(&self, span: Duration) -> bool {
        let since = Instant::now() - span;
        self.transfer.next_arrival(since).is_some() && self.pinger.answered_since(since)
    }
}

/// The case with this name.
pub fn case(name: &str) -> anyhow::Result<Case> {
    let found = CASES.iter().copied().find(|case| case.name() == name);
    let names = || CASES.map(Case::name).join(", ");
    ensure!(found.is_some(), "no case {name}; there are {}", names());
    found.context("it was just found")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
