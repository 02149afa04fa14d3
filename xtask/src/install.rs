//! Debian packages that a step needs. What is there already costs one look.

use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Installs what is missing of these packages, and says so.
pub(crate) fn debian(packages: &[&str]) -> anyhow::Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() {
        bail!("missing Debian packages; install them and try again: sudo apt-get install {}", missing.join(" "));
    }
    eprintln!("installing Debian packages: {}", missing.join(" "));
    if apt(&["install", "-y", "-q", "--no-install-recommends"], &missing).is_err() {
        // A new machine has no package lists yet.
        apt(&["update", "-q"], &[])?;
        apt(&["install", "-y", "-q", "--no-install-recommends"], &missing)?;
    }
    Ok(())
}

/// Whether we may make network namespaces and install packages.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${Status}", package])
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("install ok installed"))
}

fn apt(words: &[&str], packages: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("apt-get")
        .args(words)
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .context("this step needs apt-get: on another system install the packages named above by hand")?;
    if !output.status.success() {
        bail!("apt-get {} failed: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
