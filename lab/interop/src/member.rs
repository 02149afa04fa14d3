//! Our node, running in the lab, and the person who uses it.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use wattle_netns::Host;

use crate::tools::Missing;
use crate::{Control, Logged, eventually, spawn_logged, tools};

/// A running `wattle daemon` that has joined.
#[derive(Debug)]
pub struct Member {
    program: PathBuf,
    socket: PathBuf,
    host: Host,
    _process: Logged,
    _folder: TempDir,
}

impl Member {
    /// Starts a node on a host and joins it under the host's name.
    ///
    /// # Panics
    /// When it does not come up or does not get in.
    pub fn join(host: &Host, control: &Control, key: &str) -> Result<Self, Missing> {
        let program = tools::program("wattle")?;
        let folder = TempDir::new().expect("there is a place for temporary files");
        let socket = folder.path().join("wattled.sock");
        let mut command = host.command(&program);
        command.arg("daemon").arg("--state-dir").arg(folder.path()).arg("--socket").arg(&socket);
        let process = spawn_logged(host, host.name(), folder.path(), &mut command);
        let member = Self { program, socket, host: host.clone(), _process: process, _folder: folder };
        eventually("the daemon comes up", Duration::from_secs(20), || match member.socket.exists() {
            true => Ok(()),
            false => Err("it has no socket yet".to_owned()),
        });
        let up =
            ["up", "--login-server", control.url(), "--auth-key", key, "--hostname", host.name(), "--timeout", "60s"];
        member.ask(&up).unwrap_or_else(|why| panic!("wattle up: {why}"));
        Ok(member)
    }

    /// The host that it runs on.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Its tailnet address.
    ///
    /// # Panics
    /// When it has none.
    pub fn address(&self) -> Ipv4Addr {
        let status = self.status().expect("a node that has joined knows its status");
        let addresses = status["Self"]["TailscaleIPs"].as_array().cloned().unwrap_or_default();
        let texts = addresses.iter().filter_map(Value::as_str);
        texts.filter_map(|text| text.parse().ok()).next().expect("a node that has joined has an address")
    }

    /// The names of peers end in this.
    ///
    /// # Panics
    /// When it knows none.
    pub fn suffix(&self) -> String {
        let status = self.status().expect("a node that has joined knows its status");
        status["MagicDNSSuffix"].as_str().expect("a tailnet has a suffix").to_owned()
    }

    /// `wattle status --json`.
    pub fn status(&self) -> Result<Value, String> {
        let said = self.ask(&["status", "--json"])?;
        serde_json::from_str(&said).map_err(|error| format!("{said:?}: {error}"))
    }

    /// The peer with this host name, from the status.
    pub fn peer(&self, name: &str) -> Result<Value, String> {
        let status = self.status()?;
        let peers = status["Peer"].as_object().cloned().unwrap_or_default();
        let found = peers.values().find(|peer| peer["HostName"].as_str() == Some(name)).cloned();
        found.ok_or_else(|| format!("no peer {name} among {}", peers.len()))
    }

    /// Runs a verb and gives what it said.
    pub fn ask(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.arg("--socket").arg(&self.socket).args(words);
        let output = command.output().expect("a program that was found starts");
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}
