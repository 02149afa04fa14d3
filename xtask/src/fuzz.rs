//! `cargo xtask fuzz TARGET`: searches for bytes that break a target of `lab/fuzz`, with libFuzzer.
//!
//! It needs no nightly toolchain and no cargo-fuzz: stable compilers can instrument coverage. Only sanitizers need more,
//! and what is searched holds no unsafe code.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::{install, run};

/// What to search, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// What to throw bytes at
    target: Target,
    /// How long to search
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Processes that search at once
    #[arg(long, default_value_t = 1)]
    jobs: u32,
    /// Pass this file through the target once instead of searching
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// Any bytes as HuJSON: read, print, lay out
    Hujson,
    /// Any bytes as a policy: read it, compile it, ask it about a small tailnet that changes
    Policy,
    /// Rules and packets: the compiled filter against a plain one
    Filter,
    /// Hostile messages and odd news: the path machine and the network check
    Paths,
    /// Whole nodes in a simulated internet: what must hold in every scenario
    Scenarios,
}

/// What is known of a target.
struct Known {
    name: &'static str,
    /// Folders of `lab/fuzz/seeds` to start from.
    seeds: &'static [&'static str],
    /// Words that its inputs are made of: a file of `lab/fuzz`.
    dictionary: Option<&'static str>,
    input_bytes_max: u32,
}

impl Target {
    const fn known(self) -> Known {
        match self {
            Self::Hujson => Known {
                name: "hujson",
                seeds: &["hujson", "policy"],
                dictionary: Some("hujson.dict"),
                input_bytes_max: 4096,
            },
            Self::Policy => {
                Known { name: "policy", seeds: &["policy"], dictionary: Some("policy.dict"), input_bytes_max: 4096 }
            }
            Self::Filter => Known { name: "filter", seeds: &["filter"], dictionary: None, input_bytes_max: 1024 },
            Self::Scenarios => {
                Known { name: "scenarios", seeds: &["scenarios"], dictionary: None, input_bytes_max: 512 }
            }
            Self::Paths => Known { name: "paths", seeds: &["paths"], dictionary: None, input_bytes_max: 2048 },
        }
    }
}

/// Coverage of edges and comparisons, as libFuzzer reads it (clang's documentation, "SanitizerCoverage").
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";
/// One input may take this long; most take microseconds.
const INPUT_SECONDS_MAX: u32 = 10;
const MEMORY_MIB_MAX: u32 = 2048;

/// Builds the target and searches.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let known = options.target.known();
    let home = run::root().join("lab/fuzz");
    let work = run::programs()?.parent().map(|target| target.join("fuzz")).context("no target folder")?;
    let program = build(known.name, &work)?;
    let mut fuzzer = Command::new(program);
    fuzzer.env("RUST_BACKTRACE", "1");
    if let Some(file) = &options.replay {
        return run::step("replay", fuzzer.arg(file));
    }
    let corpus = folder(&work.join("corpus").join(known.name))?;
    let failures = folder(&work.join("failures").join(known.name))?;
    fuzzer.arg(format!("-max_total_time={}", options.seconds)).arg(format!("-max_len={}", known.input_bytes_max));
    fuzzer.arg(format!("-timeout={INPUT_SECONDS_MAX}")).arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"));
    fuzzer.arg(format!("-artifact_prefix={}/", failures.display())).arg("-print_final_stats=1");
    if options.jobs > 1 {
        fuzzer.arg(format!("-fork={}", options.jobs));
    }
    if let Some(dictionary) = known.dictionary {
        fuzzer.arg(format!("-dict={}", home.join(dictionary).display()));
    }
    // What is found goes into the first folder; the others are only read.
    fuzzer.arg(&corpus).args(known.seeds.iter().map(|seeds| home.join("seeds").join(seeds)));
    fuzzer.arg(folder(&home.join("regressions").join(known.name))?);
    let title = format!("searching {} for {} s; the corpus is in {}", known.name, options.seconds, corpus.display());
    run::step(&title, &mut fuzzer).with_context(|| {
        format!(
            "the input that failed is in {}; see it fail with --replay FILE, and once it is mended keep it in {}",
            failures.display(),
            home.join("regressions").join(known.name).display()
        )
    })
}

/// Builds the program of a target, with coverage, apart from all other builds.
fn build(target: &str, work: &Path) -> anyhow::Result<PathBuf> {
    if !Command::new("c++").arg("--version").output().is_ok_and(|output| output.status.success()) {
        // libFuzzer itself is C++.
        install::debian(&["g++"])?;
    }
    let host = host()?;
    let program = format!("fuzz-{target}");
    let mut cargo = run::cargo();
    cargo.args(["build", "--package", "wattle-fuzz", "--features", "libfuzzer", "--profile", "fuzz"]);
    // Naming the host keeps the flags away from build scripts and macros.
    cargo.args(["--bin", &program, "--target", &host]).arg("--target-dir").arg(work);
    cargo.env("RUSTFLAGS", COVERAGE).env_remove("CARGO_ENCODED_RUSTFLAGS");
    run::step(&format!("building {program}"), &mut cargo)?;
    Ok(work.join(host).join("fuzz").join(program))
}

/// The machine that the compiler runs on, in its own words.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("running rustc")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match said.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => bail!("rustc -vV names no host"),
    }
}

fn folder(path: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
    Ok(path.to_owned())
}
