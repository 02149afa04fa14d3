//! The programs under test.

use std::path::{Path, PathBuf};

use anyhow::ensure;

/// Where they are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The folder of `wattle`, `wattle-control` and `wattle-relay`.
    pub ours: PathBuf,
    /// The official daemon; without it there are no official clients.
    pub official_daemon: Option<PathBuf>,
    /// What brings an official daemon up: `lab/interop/go`.
    pub official_up: Option<PathBuf>,
}

impl Programs {
    /// Ours in one folder, the official ones, where they were built, in another.
    pub fn find(ours: &Path, tools: &Path) -> anyhow::Result<Self> {
        for program in ["wattle", "wattle-control", "wattle-relay"] {
            ensure!(ours.join(program).is_file(), "{program} is not built in {}", ours.display());
        }
        let there = |name: &str| Some(tools.join(name)).filter(|path| path.is_file());
        Ok(Self { ours: ours.to_owned(), official_daemon: there("tailscaled"), official_up: there("tsnet-probe") })
    }

    /// One of ours.
    pub(crate) fn own(&self, name: &str) -> PathBuf {
        self.ours.join(name)
    }

    /// Whether there are official clients.
    pub const fn has_official(&self) -> bool {
        self.official_daemon.is_some() && self.official_up.is_some()
    }
}
