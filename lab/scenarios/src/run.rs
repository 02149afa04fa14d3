//! Plays a scenario.

use std::time::Duration;

use crate::mesh::{Judged, Mesh};
use crate::{START, Scenario};

/// After the last word tunnels still answer (a passive keepalive comes 10 s after a packet) and paths are looked after for
/// 45 s after that; probes inside the tunnel may begin it anew once. Then ten seconds of silence follow.
const UNTIL_SILENT: Duration = Duration::from_secs(120);

/// What became of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Of all that was sent: two runs are the same when theirs are equal.
    pub trace_digest: u64,
    /// Invariants that do not hold, in words.
    pub violations: Vec<String>,
    /// The longest time without progress of each transfer.
    pub stalls: Vec<Stall>,
    /// Packets said, and how many of them came.
    pub said: (usize, usize),
    /// Datagrams sent.
    pub datagrams: u64,
    /// How often timers woke each node.
    pub wakes: Vec<u64>,
    /// The most probes (disco, STUN, handshakes, small sealed messages) that one node sent in a minute.
    pub probes_max: u32,
}

/// How a transfer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Who sent.
    pub from: usize,
    /// To whom.
    pub to: usize,
    /// The longest time without progress.
    pub longest: Duration,
    /// Whether there was a way at every moment, on which neither chance nor a relay that stalls takes anything.
    pub had_way: bool,
    /// How long it took; `None`: it did not end.
    pub done: Option<Duration>,
}

/// Plays a scenario and says what became of it.
pub fn run(scenario: &Scenario) -> Report {
    play(scenario, 0).0
}

/// The same, with the last lines of what was sent.
pub fn run_with_trace(scenario: &Scenario, lines: usize) -> (Report, String) {
    play(scenario, lines)
}

fn play(scenario: &Scenario, lines: usize) -> (Report, String) {
    let mut mesh = Mesh::new(scenario, lines);
    for (at, step) in &scenario.steps {
        mesh.run(START + *at);
        mesh.happen(step);
        mesh.judge.note_ways(&mesh.traffic);
    }
    mesh.run(START + scenario.until);
    let Mesh { world, members, traffic, judge, .. } = &mut mesh;
    judge.finish(&mut Judged { members, traffic, world }, world.now());
    let stalls = judge.stalls(traffic, world.now());
    mesh.traffic.hush();
    let end = mesh.world.now() + UNTIL_SILENT;
    mesh.run(end);
    let Mesh { world, members, control, judge, .. } = &mut mesh;
    judge.check_silence(members, end);
    judge.check_maps(members, control, world);
    let trace = if lines > 0 { mesh.world.trace().to_string() } else { String::new() };
    let said = &mesh.traffic.said;
    let report = Report {
        trace_digest: mesh.world.trace().digest(),
        stalls,
        said: (said.len(), said.iter().filter(|said| said.came.is_some()).count()),
        datagrams: mesh.world.trace().sent(),
        probes_max: mesh.members.iter().map(|member| member.probes_max).max().unwrap_or(0),
        wakes: mesh.members.iter().map(|member| member.wakes).collect(),
        violations: mesh.judge.into_violations(),
    };
    (report, trace)
}
