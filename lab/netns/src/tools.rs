//! `ip`, `nft` and `sysctl`, run with their errors kept.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::LabError;

/// Runs `ip` with words split at spaces.
pub(crate) fn ip(words: &str) -> Result<String, LabError> {
    run(Command::new("ip").args(words.split_whitespace()), None)
}

/// Runs a command line inside a namespace.
pub(crate) fn inside(namespace: &str, words: &str) -> Result<String, LabError> {
    ip(&format!("netns exec {namespace} {words}"))
}

/// A command that will run inside a namespace.
pub(crate) fn command_in(namespace: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

/// Loads an nftables rule set inside a namespace.
pub(crate) fn nft(namespace: &str, rules: &str) -> Result<(), LabError> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, "nft", "-f", "-"]);
    run(&mut command, Some(rules)).map(drop)
}

fn run(command: &mut Command, input: Option<&str>) -> Result<String, LabError> {
    let line = format!("{command:?}").replace('"', "");
    let doing = || format!("running {line}");
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| LabError::os(doing(), source))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input.as_bytes()).map_err(|source| LabError::os(doing(), source))?;
    }
    let output = child.wait_with_output().map_err(|source| LabError::os(doing(), source))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let printed = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(LabError::Command { command: line, output: printed })
    }
}

/// Says which of the needed programs is missing.
pub(crate) fn check() -> Result<(), LabError> {
    let on_path = |program: &str| {
        std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
    };
    for (program, package) in [("ip", "iproute2"), ("nft", "nftables"), ("sysctl", "procps")] {
        if !on_path(program) {
            return Err(LabError::MissingTool { program, package });
        }
    }
    Ok(())
}
