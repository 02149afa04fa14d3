//! `cargo xtask test`: everything that proves the project, in the order that fails fastest.

use std::process::Command;

use anyhow::Context;
use clap::Args;

use crate::{floors, install, oracles, run, scenarios, tidy};

/// What to leave out.
#[derive(Args)]
pub(crate) struct Options {
    /// Leave out the labs in network namespaces and the official clients
    #[arg(long)]
    quick: bool,
}

/// What the labs need.
const LAB_PACKAGES: &[&str] = &["iproute2", "nftables", "iputils-ping", "procps", "wireguard-go", "miniupnpd-nftables"];

/// Runs all tests.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    floors::check()?;
    tidy::check()?;
    if has_component("fmt") {
        run::step("formatting", run::cargo().args(["fmt", "--all", "--check"]))?;
    }
    if has_component("clippy") {
        let lints = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
        run::step("lints", run::cargo().args(lints))?;
    }
    let labs = !options.quick && install::is_root();
    if labs {
        install::debian(LAB_PACKAGES)?;
    } else {
        let why = if options.quick { "as asked" } else { "they need root" };
        eprintln!("\nlabs and official clients are left out, {why}");
    }
    // One build of everything: the labs start the programs, and one set of features compiles dependencies once.
    run::step("programs", run::cargo().args(["build", "--workspace", "--all-targets"]))?;
    let programs = run::programs()?;
    scenarios::test(&programs)?;
    let mut tests = run::cargo();
    if labs {
        let tools = oracles::install()?;
        // Now, and not beside tests that measure; each test says what it had to leave out.
        if let Err(why) = oracles::build_official(&tools) {
            eprintln!("skipped: tests against the official clients ({why:#})");
        }
        tests.env("WATTLE_TOOLS", tools);
    }
    tests.args(["test", "--workspace", "--no-fail-fast"]);
    tests.env("WATTLE_PROGRAMS", &programs).env("WATTLE_LABS", if labs { "required" } else { "off" });
    run::step("tests", &mut tests).context("a test failed: its name and its words stand above")
}

fn has_component(name: &str) -> bool {
    let present = Command::new("cargo").args([name, "--version"]).output().is_ok_and(|output| output.status.success());
    if !present {
        eprintln!(
            "skipped: cargo {name} is not installed (rustup component add {})",
            if name == "fmt" { "rustfmt" } else { name }
        );
    }
    present
}
