//! One lab with a coordination server, relays, and the nodes of one tailnet.

use std::fs::{self, File};
use std::net::{IpAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use wattle_netns::{Families, Host, Lab, Process, WireConditions};

use crate::certificate::{self, Certificate};
use crate::limits::{LOOK, START};
use crate::{Client, Node, Programs};

const NAME: &str = "control.lab";
const USER: &str = "alice@example.com";
const RELAY_TAG: &str = "tag:relay";
const RELAY_PORT: u16 = 40_000;
/// How much farther each relay is than the one before.
const FAR: Duration = Duration::from_millis(10);

/// Where relays are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relays {
    /// One, inside the coordination server.
    Inside,
    /// This many of their own, each a region.
    Apart(u8),
}

/// Everything that runs.
pub struct Site {
    programs: Programs,
    certificate: Certificate,
    control: Host,
    server: Option<Process>,
    relays: Vec<Relay>,
    key: String,
    /// Before the folder, whose files it uses, and after the processes, which stand in it.
    pub lab: Lab,
    folder: TempDir,
}

struct Relay {
    host: Host,
    process: Option<Process>,
    region: u16,
    map: PathBuf,
}

impl Site {
    /// Lays out the public part and starts it. `wire` is how the cables of everything else will be.
    pub fn new(
        programs: &Programs,
        families: Families,
        relays: Relays,
        wire: Option<WireConditions>,
    ) -> anyhow::Result<Self> {
        let mut lab = Lab::with(families)?;
        let folder = tempfile::Builder::new().prefix("wattle-matrix-").tempdir()?;
        let certificate = certificate::make(folder.path(), NAME)?;
        let control = lab.public_host("control")?;
        let mut site = Self {
            programs: programs.clone(),
            certificate,
            control,
            server: None,
            relays: Vec::new(),
            key: String::new(),
            lab,
            folder,
        };
        if let Relays::Apart(count) = relays {
            for number in 1..=count {
                // Everybody is nearest to the first one.
                site.lab.set_wire((number > 1).then(|| FAR * u32::from(number - 1)).map(WireConditions::slow));
                let host = site.lab.public_host(&format!("relay{number}"))?;
                let map = site.folder.path().join(format!("relay{number}.json"));
                site.relays.push(Relay { host, process: None, region: 900 + u16::from(number), map });
            }
        }
        for index in 0..site.relays.len() {
            site.start_relay(index)?;
        }
        site.write_config()?;
        site.start_control()?;
        site.await_office()?;
        site.administrate(&["users", "create", USER])?;
        let made = site.administrate(&["keys", "create", "--reusable", "--json", "--user", USER])?;
        site.key = made["key"].as_str().context("keys create gave no key")?.to_owned();
        site.lab.set_wire(wire);
        Ok(site)
    }

    /// Starts a node on a host and joins it.
    pub fn join(&self, host: &Host, client: Client, port: u16) -> anyhow::Result<Node> {
        self.join_by(host, client, port, &self.key)
    }

    /// A public host whose node relays for all others.
    pub fn peer_relay(&mut self, client: Client, port: u16) -> anyhow::Result<Node> {
        let policy = json!({
            "tagOwners": { RELAY_TAG: [] },
            "acls": [{ "action": "accept", "src": ["*"], "dst": ["*:*"] }],
            "grants": [{ "src": ["*"], "dst": [RELAY_TAG], "app": { "tailscale.com/cap/relay": [] } }],
        });
        let path = self.folder.path().join("policy.hujson");
        fs::write(&path, policy.to_string())?;
        self.administrate(&["policy", "set", "--yes", &path.to_string_lossy()])?;
        let made = self.administrate(&["keys", "create", "--json", "--tag", RELAY_TAG])?;
        let key = made["key"].as_str().context("keys create gave no key")?.to_owned();
        let host = self.lab.public_host("peer-relay")?;
        let node = self.join_by(&host, client, port, &key)?;
        node.serve_as_relay(RELAY_PORT)?;
        Ok(node)
    }

    fn join_by(&self, host: &Host, client: Client, port: u16, key: &str) -> anyhow::Result<Node> {
        host.set_names(&self.names())?;
        let state = self.folder.path().join(host.name());
        fs::create_dir_all(&state)?;
        let mut node = Node::new(&self.programs, &self.certificate.authority, host, client, port, &state);
        node.start()?;
        node.sign_in(&format!("https://{NAME}"), key)?;
        Ok(node)
    }

    /// Starts the coordination server and waits until it answers.
    pub fn start_control(&mut self) -> anyhow::Result<()> {
        let mut command = self.control.command(self.programs.own("wattle-control"));
        command.args(["serve", "--config"]).arg(self.folder.path().join("control.toml"));
        log_to(&mut command, &self.folder.path().join("control.log"))?;
        let mut server = self.control.spawn(&mut command)?;
        self.await_port(&self.control.clone(), &mut server, "control.log")?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends the coordination server as a power cut would.
    pub fn kill_control(&mut self) -> anyhow::Result<()> {
        if let Some(server) = self.server.take() {
            server.kill()?;
        }
        Ok(())
    }

    /// The regions of relays that stand apart.
    pub fn regions(&self) -> impl Iterator<Item = String> {
        self.relays.iter().map(|relay| format!("r{}", relay.region))
    }

    /// Starts a relay, by its place among them.
    pub fn start_relay(&mut self, index: usize) -> anyhow::Result<()> {
        let relay = &self.relays[index];
        let log = format!("{}.log", relay.host.name());
        let mut command = relay.host.command(self.programs.own("wattle-relay"));
        command.arg("serve").arg("--data").arg(self.folder.path().join(relay.host.name()));
        command.args(["--listen", "[::]:443", "--stun", "[::]:3478", "--region", &relay.region.to_string()]);
        for address in relay.host.addresses() {
            command.args(["--host-name", &address.to_string()]);
        }
        log_to(&mut command, &self.folder.path().join(&log))?;
        command.stdout(File::create(&relay.map)?);
        let host = relay.host.clone();
        let mut process = host.spawn(&mut command)?;
        self.await_port(&host, &mut process, &log)?;
        self.relays[index].process = Some(process);
        Ok(())
    }

    /// Ends the relay of a region as a power cut would; its place among them.
    pub fn kill_relay(&mut self, region: &str) -> anyhow::Result<usize> {
        let index = self.regions().position(|known| known == region).with_context(|| format!("no region {region}"))?;
        if let Some(process) = self.relays[index].process.take() {
            process.kill()?;
        }
        Ok(index)
    }

    /// Runs a verb of the administrator.
    pub fn administrate(&self, words: &[&str]) -> anyhow::Result<Value> {
        let mut command = Command::new(self.programs.own("wattle-control"));
        command.arg("--data").arg(self.folder.path().join("control")).args(words);
        let output = command.output()?;
        if !output.status.success() {
            bail!("wattle-control {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
    }

    fn names(&self) -> Vec<(&'static str, Vec<IpAddr>)> {
        vec![(NAME, self.control.addresses().collect())]
    }

    fn write_config(&self) -> anyhow::Result<()> {
        let shown = |path: &Path| format!("{:?}", path.display().to_string());
        let maps: Vec<String> = self.relays.iter().map(|relay| shown(&relay.map)).collect();
        let text = format!(
            "data = {}\nlisten = \"[::]:443\"\nserver_url = \"https://{NAME}\"\nrelay_maps = [{}]\n\
             [tls]\ncertificate = {}\nkey = {}\n[relay]\nenabled = {}\nstun_listen = \"[::]:3478\"\n",
            shown(&self.folder.path().join("control")),
            maps.join(", "),
            shown(&self.certificate.certificate),
            shown(&self.certificate.key),
            self.relays.is_empty(),
        );
        fs::write(self.folder.path().join("control.toml"), text).context("writing the configuration of the server")
    }

    /// The door of administrators opens a moment after that of nodes.
    fn await_office(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while let Err(why) = self.administrate(&["users", "list", "--json"]) {
            ensure!(Instant::now() < deadline, "{why:#}");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn await_port(&self, host: &Host, process: &mut Process, log: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        let address = host.addresses().next().context("a public host has an address")?;
        loop {
            let open = host.thread(move || TcpStream::connect_timeout(&(address, 443).into(), START).is_ok()).join()?;
            if open {
                return Ok(());
            }
            let said = || fs::read_to_string(self.folder.path().join(log)).unwrap_or_default();
            ensure!(process.is_running(), "{} ended at once: {}", host.name(), said());
            ensure!(Instant::now() < deadline, "{} does not answer: {}", host.name(), said());
            std::thread::sleep(LOOK);
        }
    }
}

/// Both outputs of a command into a file, behind what stands there.
pub(crate) fn log_to(command: &mut Command, path: &Path) -> anyhow::Result<()> {
    let log = File::options().create(true).append(true).open(path)?;
    command.stdout(log.try_clone()?).stderr(log);
    Ok(())
}
