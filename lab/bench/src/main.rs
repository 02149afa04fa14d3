//! What things cost. One benchmark per file; each prints its figures as rows of JSON, which `cargo xtask bench` shows.
#![forbid(unsafe_code)]

mod filter;
mod policy;

use std::time::Duration;

use anyhow::bail;
use nix::time::{ClockId, clock_gettime};
use serde_json::Value;

fn main() -> anyhow::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let rows: Vec<Value> = match name.as_str() {
        "filter" => filter::measure(&filter::RULES),
        "policy" => policy::measure(&policy::NODES),
        _ => bail!("no benchmark is called {name:?}"),
    };
    println!("{}", serde_json::to_string(&rows)?);
    Ok(())
}

/// The shortest of the times that calls take which all do the same: what else the machine does only adds to them.
fn fastest(rounds: usize, call: impl FnMut()) -> Duration {
    times(rounds, call).first().copied().unwrap_or_default()
}

/// The middle one of the times that calls take.
fn median(rounds: usize, call: impl FnMut()) -> Duration {
    times(rounds, call).get(rounds / 2).copied().unwrap_or_default()
}

/// The times that this thread spends in each of some calls, sorted.
fn times(rounds: usize, mut call: impl FnMut()) -> Vec<Duration> {
    let round = |_| {
        let start = spent();
        call();
        spent().saturating_sub(start)
    };
    let mut times: Vec<Duration> = (0..rounds).map(round).collect();
    times.sort_unstable();
    times
}

/// The time that this thread has spent on a processor.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}
