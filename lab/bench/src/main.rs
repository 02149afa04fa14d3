//! What things cost. One benchmark per file; each prints its figures as rows of JSON, which `cargo xtask bench` shows.
//! Times are medians of several rounds, so that one interrupted round does not count.
#![forbid(unsafe_code)]

mod filter;
mod policy;

use std::time::{Duration, Instant};

use anyhow::bail;
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

/// The middle one of the times that `rounds` calls take.
fn median(rounds: usize, mut call: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
