//! `scenarios`: plays seeds or a story, and says what does not hold.
#![forbid(unsafe_code)]

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use wattle_scenarios::{Report, Scenario, run, run_with_trace};

/// Failing seeds that are told: the first say enough.
const FAILURES_TOLD_MAX: usize = 20;
/// Lines of a trace that are printed.
const TRACE_LINES: usize = 1_000_000;

/// No transfer should stand still for longer where there is a way.
const STALL_MAX: Duration = Duration::from_secs(3);
/// The longest stalls that are told.
const STALLS_TOLD: usize = 8;

#[derive(Parser)]
#[command(
    name = "scenarios",
    about = "Plays scenarios in a simulated internet and holds them against what must be true"
)]
struct Arguments {
    /// Play these seeds, such as 0..10000 or 4711
    #[arg(long, value_parser = seeds)]
    seeds: Option<Range<u64>>,
    /// Play a story from a file
    #[arg(long, value_name = "FILE")]
    story: Option<PathBuf>,
    /// Print the scenario of a seed as a story
    #[arg(long, value_name = "SEED")]
    show: Option<u64>,
    /// Print what was sent
    #[arg(long)]
    trace: bool,
    /// Play each twice and compare
    #[arg(long)]
    twice: bool,
    /// So many threads; otherwise one for each processor
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.show {
        print!("{}", Scenario::from_seed(seed));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &arguments.story {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let scenario = Scenario::parse(&text).with_context(|| path.display().to_string())?;
        return Ok(tell_one(&scenario, &arguments));
    }
    let seeds = arguments.seeds.clone().unwrap_or(0..10_000);
    if seeds.end - seeds.start == 1 {
        return Ok(tell_one(&Scenario::from_seed(seeds.start), &arguments));
    }
    Ok(play_all(seeds, &arguments))
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} is no number"));
    match text.split_once("..") {
        Some((from, to)) => Ok(number(from)?..number(to)?),
        None => number(text).map(|seed| seed..seed + 1),
    }
}

fn tell_one(scenario: &Scenario, arguments: &Arguments) -> ExitCode {
    let (report, trace) = run_with_trace(scenario, if arguments.trace { TRACE_LINES } else { 0 });
    print!("{trace}");
    let Report { trace_digest, violations, stalls, said, datagrams, wakes, probes_max } = &report;
    println!("{} of {} packets came; {datagrams} datagrams; timers woke nodes {wakes:?} times", said.1, said.0);
    println!("at most {probes_max} probes of one node in a minute");
    for stall in stalls {
        let (from, to) = (scenario.name(stall.from), scenario.name(stall.to));
        let way =
            if stall.had_way { "there was a good way all the time" } else { "at times there was none that is good" };
        println!("transfer {from} to {to}: longest stall {:?}, took {:?}; {way}", stall.longest, stall.done);
    }
    println!("digest {trace_digest:016x}");
    let same = !arguments.twice || run(scenario).trace_digest == *trace_digest;
    if !same {
        println!("a second run went another way");
    }
    for violation in violations {
        println!("violated: {violation}");
    }
    if violations.is_empty() && same { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays seeds on all processors, each seed on one.
fn play_all(seeds: Range<u64>, arguments: &Arguments) -> ExitCode {
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let (next, enough) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let (sender, results) = mpsc::channel();
    let began = Instant::now();
    let mut failures: Vec<(u64, Vec<String>)> = Vec::new();
    let (mut played, mut stalls, mut probes) = (0u64, Vec::new(), (0, 0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, seeds, next, enough) = (sender.clone(), &seeds, &next, &enough);
            scope.spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || sender.send((seed, play(seed, arguments.twice))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (seed, report) in results {
            played += 1;
            stalls.extend(report.stalls.iter().filter(|stall| stall.had_way).map(|stall| (stall.longest, seed)));
            probes = probes.max((report.probes_max, seed));
            if !report.violations.is_empty() {
                failures.push((seed, report.violations));
                enough.store(failures.len() >= FAILURES_TOLD_MAX, Ordering::Relaxed);
            }
            if played.is_multiple_of(500) {
                eprint!(
                    "\r{played} of {} seeds, {} failed, {:?}  ",
                    seeds.end - seeds.start,
                    failures.len(),
                    began.elapsed()
                );
                _ = std::io::stderr().flush();
            }
        }
    });
    eprintln!();
    failures.sort();
    for (seed, violations) in &failures {
        println!("seed {seed}:");
        violations.iter().for_each(|violation| println!("  {violation}"));
        println!("  replay: cargo run -p wattle-scenarios --bin scenarios -- --seeds {seed} --trace");
    }
    println!("{played} seeds in {:.1} s, {} failed", began.elapsed().as_secs_f64(), failures.len());
    stalls.sort_unstable_by(|a, b| b.cmp(a));
    let long = stalls.iter().filter(|(length, _)| *length > STALL_MAX).count();
    println!(
        "{} transfers had a good way at every moment; {long} of them stood still for more than {STALL_MAX:?}",
        stalls.len()
    );
    for (length, seed) in stalls.iter().take(STALLS_TOLD) {
        println!("  {length:?} in seed {seed}");
    }
    println!("most probes of a node in a minute: {} (seed {})", probes.0, probes.1);
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn play(seed: u64, twice: bool) -> Report {
    let scenario = Scenario::from_seed(seed);
    let mut report = run(&scenario);
    if twice && run(&scenario).trace_digest != report.trace_digest {
        report.violations.push("a second run went another way".to_owned());
    }
    report
}
