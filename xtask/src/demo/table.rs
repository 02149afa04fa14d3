//! The live table: who, behind what, by which path.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use comfy_table::{Table as Cells, presets};

use super::mesh::Mesh;
use super::probe::{Path, Probe};

/// Draws over itself on a terminal; elsewhere prints a line when a path changes.
pub(crate) struct Table {
    live: bool,
    drawn_lines: usize,
    drawn_at: Option<Instant>,
    shown: Vec<Option<Path>>,
}

impl Table {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { live: std::io::stderr().is_terminal() && !quiet, drawn_lines: 0, drawn_at: None, shown: Vec::new() }
    }

    pub(crate) fn draw(&mut self, mesh: &Mesh, probes: &[Probe]) {
        if self.live {
            self.redraw(mesh, probes);
        } else {
            self.tell_changes(probes);
        }
    }

    fn redraw(&mut self, mesh: &Mesh, probes: &[Probe]) {
        if self.drawn_at.is_some_and(|at| at.elapsed() < Duration::from_millis(200)) {
            return;
        }
        let mut cells = Cells::new();
        cells.load_style(presets::UTF8_HORIZONTAL_ONLY);
        cells.set_header(["from", "behind", "to", "behind", "path", "direct after", "round trip", "sent", "lost"]);
        for probe in probes {
            let nat = |name: &str| mesh.hosts().find(|host| host.name() == name).map_or("", |host| host.nat_name());
            let (sent, lost) = probe.counts(probe.started(), Instant::now());
            cells.add_row([
                probe.from().to_owned(),
                nat(probe.from()).to_owned(),
                probe.to().to_owned(),
                nat(probe.to()).to_owned(),
                word(probe.path()).to_owned(),
                probe.direct_after().map_or_else(String::new, |after| format!("{} ms", after.as_millis())),
                probe.rtt().map_or_else(String::new, |rtt| format!("{:.2} ms", rtt.as_secs_f64() * 1e3)),
                sent.to_string(),
                lost.to_string(),
            ]);
        }
        let text = cells.to_string();
        let mut screen = std::io::stderr().lock();
        let up = if self.drawn_lines > 0 { format!("\x1b[{}A", self.drawn_lines) } else { String::new() };
        let lines: String = text.lines().map(|line| format!("\x1b[2K{line}\n")).collect();
        let _closed_terminal = write!(screen, "{up}{lines}");
        self.drawn_lines = text.lines().count();
        self.drawn_at = Some(Instant::now());
    }

    fn tell_changes(&mut self, probes: &[Probe]) {
        self.shown.resize(probes.len(), None);
        for (shown, probe) in self.shown.iter_mut().zip(probes) {
            if *shown != probe.path() {
                *shown = probe.path();
                eprintln!("{} -> {}: {}", probe.from(), probe.to(), word(probe.path()));
            }
        }
    }
}

const fn word(path: Option<Path>) -> &'static str {
    match path {
        Some(Path::Direct) => "direct",
        Some(Path::Relay) => "relay",
        None => "none yet",
    }
}
