//! A node on a host of the lab: ours or the official one, driven the same way.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use wattle_netns::{Host, Process};

use crate::limits::{JOIN, LOOK};
use crate::site::log_to;
use crate::{Programs, local_api};

/// Whose client a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Ours.
    Wattle,
    /// The official daemon.
    Official,
}

/// A node. Dropping it ends its daemon.
pub struct Node {
    /// Where it runs.
    pub host: Host,
    client: Client,
    programs: Programs,
    authority: PathBuf,
    state: PathBuf,
    port: u16,
    process: Option<Process>,
    addresses: Vec<IpAddr>,
}

impl Client {
    /// The words to show people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wattle => "wattle",
            Self::Official => "official",
        }
    }
}

impl Node {
    pub(crate) fn new(
        programs: &Programs,
        authority: &Path,
        host: &Host,
        client: Client,
        port: u16,
        state: &Path,
    ) -> Self {
        Self {
            host: host.clone(),
            client,
            programs: programs.clone(),
            authority: authority.to_owned(),
            state: state.to_owned(),
            port,
            process: None,
            addresses: Vec::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.host.name()
    }

    /// Whose client it runs.
    pub const fn client(&self) -> Client {
        self.client
    }

    /// Its UDP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its first address in the tailnet.
    pub fn address(&self) -> anyhow::Result<IpAddr> {
        self.addresses.first().copied().context("a node that has not joined has no address")
    }

    /// Starts its daemon and waits until it answers at its socket.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let (socket, port) = (self.socket(), self.port.to_string());
        let mut command = match self.client {
            Client::Wattle => {
                let mut command = self.host.command(self.programs.own("wattle"));
                command.arg("daemon").arg("--state-dir").arg(&self.state).arg("--socket").arg(&socket);
                command.args(["--port", &port]);
                command
            }
            Client::Official => {
                let daemon = self.programs.official_daemon.as_ref().context("there is no official daemon")?;
                let mut command = self.host.command(daemon);
                command.arg("--statedir").arg(&self.state).arg("--socket").arg(&socket);
                command.args(["--port", &port, "--tun", "tailscale0"]);
                // It would look for a place to send its log to for as long as it runs.
                command.env("TS_NO_LOGS_NO_SUPPORT", "1").env("HOME", &self.state);
                command
            }
        };
        log_to(command.env("SSL_CERT_FILE", &self.authority), &self.state.join("log"))?;
        let mut process = self.host.spawn(&mut command)?;
        let deadline = Instant::now() + JOIN;
        while local_api::status(&socket).is_err() {
            ensure!(process.is_running(), "the daemon of {} ended at once: {}", self.name(), self.log_end());
            ensure!(Instant::now() < deadline, "the daemon of {} does not answer: {}", self.name(), self.log_end());
            std::thread::sleep(LOOK);
        }
        self.process = Some(process);
        Ok(())
    }

    /// Signs it in with a key, and waits until it runs.
    pub fn sign_in(&mut self, url: &str, key: &str) -> anyhow::Result<()> {
        let mut command = match self.client {
            Client::Wattle => {
                let mut command = Command::new(self.programs.own("wattle"));
                command.arg("--socket").arg(self.socket());
                command.args(["up", "--login-server", url, "--auth-key", key, "--hostname", self.name()]);
                command.args(["--accept-dns=false", "--timeout", "60s"]);
                command
            }
            Client::Official => {
                let mut command = Command::new(self.programs.official_up.as_ref().context("there is no tsnet-probe")?);
                command.arg("-up").arg(self.socket()).args(["-bare", "-control", url, "-key", key]);
                command.args(["-hostname", self.name()]);
                command
            }
        };
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            bail!("{} did not join: {}\n{}", self.name(), String::from_utf8_lossy(&output.stderr), self.log_end());
        }
        self.await_ready()
    }

    /// Ends its daemon at once, as when its machine loses power.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Ends its daemon in good order.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(process) = self.process.take() {
            process.stop(Duration::from_secs(5))?;
        }
        Ok(())
    }

    /// Starts it anew: it remembers who it is, and nothing of its peers' paths.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop()?;
        self.start()?;
        self.await_ready()
    }

    /// Its daemon does nothing from now on, or goes on.
    pub fn freeze(&self, frozen: bool) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("the node does not run")?;
        process.signal(if frozen { Signal::SIGSTOP } else { Signal::SIGCONT })?;
        Ok(())
    }

    /// What it says of itself.
    pub fn status(&self) -> anyhow::Result<Value> {
        local_api::status(&self.socket())
    }

    /// Makes it a relay for its peers, at a UDP port.
    pub fn serve_as_relay(&self, port: u16) -> anyhow::Result<()> {
        let masked = json!({ "RelayServerPort": port, "RelayServerPortSet": true });
        local_api::edit_preferences(&self.socket(), &masked).map(drop)
    }

    /// The peer at this address, from its status.
    pub fn peer(&self, address: IpAddr) -> anyhow::Result<Value> {
        let status = self.status()?;
        let peers = status["Peer"].as_object().context("the status has no peers")?;
        let has = |peer: &&Value| {
            peer["TailscaleIPs"].as_array().is_some_and(|all| all.iter().any(|one| *one == address.to_string()))
        };
        peers.values().find(has).cloned().with_context(|| format!("{} knows no {address}", self.name()))
    }

    /// The relay region that it listens at.
    pub fn home(&self) -> anyhow::Result<String> {
        Ok(self.status()?["Self"]["Relay"].as_str().unwrap_or_default().to_owned())
    }

    /// The end of its log.
    pub fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.state.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// What it says of itself and of another node, for people who look for a fault.
    pub(crate) fn account(&self, other: &Self) -> String {
        let own = self.status().map(|status| format!("{} {}", status["BackendState"], status["Self"]));
        let peer = other.address().and_then(|address| self.peer(address)).map(|peer| peer.to_string());
        let [own, peer] = [own, peer].map(|said| said.unwrap_or_else(|why| format!("{why:#}")));
        format!("{} says of itself {own}\nof {} {peer}\nlog {}", self.name(), other.name(), self.log_end())
    }

    /// Waits until it can be reached: it runs, has a home relay and knows own endpoints.
    fn await_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + JOIN;
        loop {
            let status = self.status()?;
            let own = &status["Self"];
            let running = status["BackendState"] == "Running";
            let has_home = own["Relay"].as_str().is_some_and(|relay| !relay.is_empty());
            let has_endpoints = own["Addrs"].as_array().is_some_and(|all| !all.is_empty());
            if running && has_home && has_endpoints {
                let texts = own["TailscaleIPs"].as_array().cloned().unwrap_or_default();
                self.addresses = texts.iter().filter_map(|text| text.as_str()?.parse().ok()).collect();
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "{} is not ready (running {running}, relay {has_home}, endpoints {has_endpoints}): {}",
                    self.name(),
                    self.log_end()
                );
            }
            std::thread::sleep(LOOK * 5);
        }
    }

    fn socket(&self) -> PathBuf {
        self.state.join("daemon.sock")
    }
}
