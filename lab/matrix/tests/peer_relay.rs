//! Two nodes behind NATs that let no direct path be, and a third that relays for them: every mix of ours and official ones.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wattle_interop::{have, tools};
use wattle_matrix::{Client, Node, Programs, Relays, Site};
use wattle_netns::{Families, Lab, Nat};

/// The official client looks for relays every 30 s, and may have to look twice.
const PATIENCE: Duration = Duration::from_secs(75);

/// Times are measured: a machine that plays several stories at once is too busy for them.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct Story {
    relay: Node,
    a: Node,
    b: Node,
    _site: Site,
    _alone: MutexGuard<'static, ()>,
}

/// Our programs, and the official ones where they are needed and can be had.
fn programs(official: bool) -> Option<Programs> {
    let folder = have(tools::program("wattle"))?.parent()?.to_owned();
    let mut programs = Programs { ours: folder, official_daemon: None, official_up: None };
    if official {
        programs.official_daemon = Some(have(tools::official_daemon())?);
        programs.official_up = Some(have(tools::tsnet_probe())?);
    }
    Some(programs)
}

impl Story {
    /// A relay in public, and two nodes behind symmetric NATs that may use it.
    fn begin(relay: Client, a: Client, b: Client) -> Option<Self> {
        Lab::for_test()?;
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let programs = programs([relay, a, b].contains(&Client::Official))?;
        let mut site = Site::new(&programs, Families::Four, Relays::Inside, None).expect("a site");
        let relay = site.peer_relay(relay, 41_641).expect("the relay joins");
        let host = site.lab.host_behind("ash", Nat::Symmetric).expect("a host");
        let a = site.join(&host, a, 41_641).expect("ash joins");
        let host = site.lab.host_behind("birch", Nat::Symmetric).expect("a host");
        let b = site.join(&host, b, 41_641).expect("birch joins");
        Some(Self { relay, a, b, _site: site, _alone: alone })
    }

    /// One ping; whether it was answered.
    fn ping(from: &Node, to: IpAddr) -> bool {
        let mut command = from.host.command("ping");
        let output = command.args(["-c", "1", "-W", "1", &to.to_string()]).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// Pings until both say that a peer relay carries it; where the relay is.
    fn meet(&self) -> String {
        let (a, b) = (self.a.address().expect("joined"), self.b.address().expect("joined"));
        let started = Instant::now();
        loop {
            let answered = Self::ping(&self.a, b);
            let ways = [(&self.a, b), (&self.b, a)].map(|(node, peer)| {
                let peer = node.peer(peer).unwrap_or_default();
                peer["PeerRelay"].as_str().unwrap_or_default().to_owned()
            });
            if answered && ways.iter().all(|way| !way.is_empty()) {
                eprintln!("met after {:?}: {ways:?}", started.elapsed());
                assert_eq!(ways[0], ways[1]);
                return ways.into_iter().next().unwrap_or_default();
            }
            assert!(
                started.elapsed() < PATIENCE,
                "no peer relay: ping {answered}, {ways:?}\n{}\n--\n{}\n--\n{}",
                self.relay.log_end(),
                self.a.log_end(),
                self.b.log_end()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Both talk through the relay, and nothing gets lost there.
    fn play(&self) {
        let way = self.meet();
        assert!(way.contains(":vni:"), "{way}");
        let to = self.b.address().expect("joined");
        let mut ping = self.a.host.command("ping");
        let output = ping.args(["-c", "20", "-i", "0.05", "-W", "1", "-s", "1100", &to.to_string()]).output();
        let said = String::from_utf8_lossy(&output.expect("ping runs").stdout).into_owned();
        assert!(said.contains(" 0% packet loss"), "{said}");
    }
}

#[test]
fn our_nodes_meet_at_our_relay_and_lose_it_without_losing_each_other() {
    let Some(mut story) = Story::begin(Client::Wattle, Client::Wattle, Client::Wattle) else { return };
    story.play();
    story.relay.kill().expect("it is killed");
    let to = story.b.address().expect("joined");
    let started = Instant::now();
    // The last resort is DERP, which was there all the time.
    while !Story::ping(&story.a, to) {
        assert!(started.elapsed() < Duration::from_secs(8), "nothing gets through any more");
    }
    eprintln!("derp carries it {:?} after the relay's death", started.elapsed());
    story.relay.restart().expect("it is started again");
    story.meet();
}

#[test]
fn official_clients_meet_at_our_relay() {
    let Some(story) = Story::begin(Client::Wattle, Client::Official, Client::Official) else { return };
    story.play();
}

#[test]
fn our_nodes_meet_at_an_official_relay() {
    let Some(story) = Story::begin(Client::Official, Client::Wattle, Client::Wattle) else { return };
    story.play();
}

#[test]
fn one_of_ours_meets_an_official_client_at_our_relay() {
    let Some(story) = Story::begin(Client::Wattle, Client::Wattle, Client::Official) else { return };
    story.play();
}
