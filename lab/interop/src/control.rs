//! Our coordination server, running in the lab, and its administrator.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use wattle_netns::Host;

use crate::tools::Missing;
use crate::{Logged, eventually, spawn_logged, tools, web};

const PORT: u16 = 8080;
/// Whose nodes all are that have no tag.
const USER: &str = "alice@example.com";

/// A running `wattle-control`.
#[derive(Debug)]
pub struct Control {
    program: PathBuf,
    host: Host,
    url: String,
    _process: Logged,
    folder: TempDir,
}

impl Control {
    /// Starts it on a public host with no configuration but its address, and makes one user known.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(host: &Host) -> Result<Self, Missing> {
        Self::start_at(host, host.address())
    }

    /// The same at another of the host's addresses.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_at(host: &Host, address: Ipv4Addr) -> Result<Self, Missing> {
        let program = tools::program("wattle-control")?;
        let folder = TempDir::new().expect("there is a place for temporary files");
        let address = (address, PORT).into();
        let url = format!("http://{address}");
        let mut command = host.command(&program);
        command.arg("--data").arg(folder.path()).arg("serve");
        command.args(["--listen", &format!("{address}"), "--server-url", &url]);
        let process = spawn_logged(host, "wattle-control", folder.path(), &mut command);
        let control = Self { program, host: host.clone(), url, _process: process, folder };
        eventually("the coordination server comes up", Duration::from_secs(30), || {
            web::fetch(&control.host, address, "/health", "control")
        });
        control.administrate(&["users", "create", USER]);
        Ok(control)
    }

    /// What nodes log in to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// An auth key for nodes of the one user, or for nodes with a tag.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn key(&self, tag: Option<&str>) -> String {
        self.key_for(tag.map_or(["--user", USER], |tag| ["--tag", tag]))
    }

    /// An auth key for nodes that belong as these options say.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn key_for(&self, owner: [&str; 2]) -> String {
        let made = self.administrate(&[&["keys", "create", "--reusable", "--json"], &owner[..]].concat());
        let made: Value = serde_json::from_str(&made).expect("keys create --json says JSON");
        made["key"].as_str().expect("the key is told when it is made").to_owned()
    }

    /// Sets the policy.
    ///
    /// # Panics
    /// When it is refused.
    pub fn set_policy(&self, policy: &str) {
        let path = self.folder.path().join("policy.hujson");
        std::fs::write(&path, policy).expect("the test's folder is writable");
        // Policies that lock everybody out are among those to be tried.
        self.administrate(&["policy", "set", "--yes", &path.to_string_lossy()]);
    }

    /// Runs a verb of the administrator and gives what it said.
    ///
    /// # Panics
    /// When it fails.
    pub fn administrate(&self, words: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command.arg("--data").arg(self.folder.path()).args(words);
        let output = command.output().expect("a program that was found starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "wattle-control {}: {errors}", words.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
