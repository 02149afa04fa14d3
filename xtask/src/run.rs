//! Running other programs, with the command shown and its failure named.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    // The manifest's folder is xtask/.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// Cargo, as it runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Where `cargo build` puts the programs.
pub(crate) fn programs() -> anyhow::Result<PathBuf> {
    let metadata = metadata()?;
    let target = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(Path::new(target).join("debug"))
}

/// What cargo knows of the workspace, without its dependencies.
pub(crate) fn metadata() -> anyhow::Result<serde_json::Value> {
    let output = cargo().args(["metadata", "--format-version", "1", "--no-deps"]).output().context("running cargo")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Shows a step and runs it; its output goes where ours goes.
pub(crate) fn step(title: &str, command: &mut Command) -> anyhow::Result<()> {
    eprintln!("\n== {title}");
    let status = command.status().with_context(|| format!("{title}: cannot run {command:?}"))?;
    if !status.success() {
        bail!("{title} failed ({status})");
    }
    Ok(())
}
