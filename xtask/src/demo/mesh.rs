//! The hosts, the server and their daemons.

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path as FilePath, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use wattle_netns::{Host, Lab, Nat, Process};

use super::probe::Path;

/// Who is behind what.
const HOSTS: [(&str, Nat); 5] = [
    ("ash", Nat::EndpointIndependent),
    ("birch", Nat::AddressRestricted),
    ("cedar", Nat::PortRestricted),
    ("doum", Nat::Symmetric),
    ("elm", Nat::UdpBlocked),
];
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that runs.
pub(crate) struct Mesh {
    programs: PathBuf,
    folder: PathBuf,
    url: String,
    control: Host,
    server: Option<Process>,
    hosts: Vec<MeshHost>,
    lab: Lab,
}

/// One host of the mesh, with its daemon.
pub(crate) struct MeshHost {
    lab: Host,
    socket: PathBuf,
    address: Option<IpAddr>,
    daemon: Option<Process>,
}

impl MeshHost {
    pub(crate) fn name(&self) -> &str {
        self.lab.name()
    }

    pub(crate) fn nat_name(&self) -> &'static str {
        self.lab.nat().map_or("public", Nat::name)
    }

    pub(crate) const fn lab(&self) -> &Host {
        &self.lab
    }

    /// Its address in the tailnet.
    pub(crate) const fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl Mesh {
    /// Builds the network; nothing runs yet.
    pub(crate) fn lay_out(programs: &FilePath) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("wattle-demo-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let mut lab = Lab::new()?;
        let control = lab.public_host("control")?;
        let mut hosts = Vec::new();
        for (name, nat) in HOSTS {
            let host = lab.host_behind(name, nat)?;
            hosts.push(MeshHost {
                lab: host,
                socket: folder.join(format!("{name}.sock")),
                address: None,
                daemon: None,
            });
        }
        let url = format!("http://{}:8080", control.address());
        Ok(Self { programs: programs.to_owned(), folder, url, control, server: None, hosts, lab })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn hosts(&self) -> impl Iterator<Item = &MeshHost> {
        self.hosts.iter()
    }

    pub(crate) fn host(&self, name: &str) -> anyhow::Result<&MeshHost> {
        self.hosts.iter().find(|host| host.name() == name).with_context(|| format!("no host {name}"))
    }

    /// Starts the coordination server and waits until it answers.
    pub(crate) fn start_server(&mut self) -> anyhow::Result<()> {
        let address = self.control.address();
        let mut command = self.control.command(self.programs.join("wattle-control"));
        command.arg("serve").arg("--data").arg(self.folder.join("control"));
        command.args(["--listen", &format!("{address}:8080"), "--server-url", &self.url]);
        self.log(&mut command, "control")?;
        let mut server = self.control.spawn(&mut command)?;
        let deadline = Instant::now() + PATIENCE;
        while !self.is_healthy() {
            ensure!(server.is_running(), "wattle-control ended at once; see {}", self.log_path("control").display());
            ensure!(
                Instant::now() < deadline,
                "wattle-control does not answer; see {}",
                self.log_path("control").display()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.server = Some(server);
        Ok(())
    }

    /// Kills the coordination server as a power cut would.
    pub(crate) fn kill_server(&mut self) -> anyhow::Result<()> {
        if let Some(server) = self.server.take() {
            server.kill()?;
        }
        Ok(())
    }

    /// Lets exactly these pairs reach each other. Every host has a tag of its own name.
    pub(crate) fn write_policy(&self, pairs: &[(&str, &str, bool)]) -> anyhow::Result<()> {
        let owners: serde_json::Map<String, Value> =
            self.hosts.iter().map(|host| (format!("tag:{}", host.name()), json!([]))).collect();
        let rules: Vec<Value> = pairs
            .iter()
            .map(|(from, to, _)| json!({"action": "accept", "src": [format!("tag:{from}")], "dst": [format!("tag:{to}:*")]}))
            .collect();
        let path = self.folder.join("policy.hujson");
        fs::write(&path, serde_json::to_string_pretty(&json!({"tagOwners": owners, "acls": rules}))?)?;
        self.control_verb(&["policy", "set", &path.to_string_lossy()]).map(drop)
    }

    /// Starts a daemon on every host and signs it in, all at once.
    pub(crate) fn join_all(&mut self) -> anyhow::Result<()> {
        for index in 0..self.hosts.len() {
            let name = self.hosts[index].name().to_owned();
            let state = self.folder.join(&name);
            let mut command = self.hosts[index].lab.command(self.programs.join("wattle"));
            command.arg("daemon").arg("--state-dir").arg(&state).arg("--socket").arg(&self.hosts[index].socket);
            self.log(&mut command, &name)?;
            let daemon = self.hosts[index].lab.spawn(&mut command)?;
            self.hosts[index].daemon = Some(daemon);
        }
        let mut joining = Vec::new();
        for host in &self.hosts {
            let made = self.control_verb(&["keys", "create", "--tag", &format!("tag:{}", host.name()), "--json"])?;
            let key = made["key"].as_str().context("keys create gave no key")?.to_owned();
            wait_for(&host.socket)?;
            let mut command = self.verb(host);
            command.args([
                "up",
                "--login-server",
                &self.url,
                "--auth-key",
                &key,
                "--hostname",
                host.name(),
                "--timeout",
                "30s",
            ]);
            joining.push((host.name().to_owned(), command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?));
        }
        for (name, child) in joining {
            let output = child.wait_with_output()?;
            ensure!(
                output.status.success(),
                "{name} did not join: {} (see {})",
                String::from_utf8_lossy(&output.stderr).trim(),
                self.log_path(&name).display()
            );
        }
        for index in 0..self.hosts.len() {
            let status = self.status(&self.hosts[index])?;
            let address = status["Self"]["TailscaleIPs"][0].as_str().context("a host that joined has no address")?;
            self.hosts[index].address = Some(address.parse()?);
        }
        Ok(())
    }

    /// How packets from one host to another travel now; `None` while the node does not know the peer.
    pub(crate) fn current_path(&self, from: &str, to: &str) -> anyhow::Result<Option<Path>> {
        let (from, to) = (self.host(from)?, self.host(to)?);
        let address = to.address.context("the host has joined")?.to_string();
        let status = self.status(from)?;
        let has_address =
            |peer: &&Value| peer["TailscaleIPs"].as_array().is_some_and(|all| all.iter().any(|one| *one == address));
        let peer = status["Peer"].as_object().and_then(|peers| peers.values().find(has_address));
        Ok(peer.map(
            |peer| if peer["CurAddr"].as_str().unwrap_or_default().is_empty() { Path::Relay } else { Path::Direct },
        ))
    }

    /// Leaves everything running, and says how to use it.
    pub(crate) fn keep(mut self) {
        let wattle = self.programs.join("wattle");
        println!("\nleft running; for example:");
        for host in &self.hosts {
            println!(
                "  ip netns exec {} {} --socket {} status",
                host.lab.namespace(),
                wattle.display(),
                host.socket.display()
            );
        }
        println!("to end it: kill the processes of these namespaces, then remove them:");
        for namespace in self.lab.keep() {
            println!("  ip netns pids {namespace} | xargs -r kill; ip netns del {namespace}");
        }
        println!("state and logs: {}", self.folder.display());
        for process in self.server.take().into_iter().chain(self.hosts.iter_mut().filter_map(|host| host.daemon.take()))
        {
            std::mem::forget(process);
        }
        // Dropping would remove the logs.
        self.folder = PathBuf::new();
    }

    fn is_healthy(&self) -> bool {
        let address = self.control.address();
        let asked = self.control.thread(move || {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect((address, 8080)).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
            write!(stream, "GET /health HTTP/1.1\r\nHost: {address}:8080\r\nConnection: close\r\n\r\n").ok()?;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).ok()?;
            answer.ends_with(b"200").then_some(())
        });
        asked.join().is_ok_and(|healthy| healthy.is_some())
    }

    fn control_verb(&self, words: &[&str]) -> anyhow::Result<Value> {
        let mut command = self.control.command(self.programs.join("wattle-control"));
        command.arg("--data").arg(self.folder.join("control")).args(words);
        let output = self.control.run(&mut command)?;
        if !output.status.success() {
            bail!("wattle-control {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
    }

    fn status(&self, host: &MeshHost) -> anyhow::Result<Value> {
        let output = self.verb(host).args(["status", "--json"]).output()?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("status of {}: {}", host.name(), String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// A verb of the node's command line. Its socket is a file, so it need not run inside the host.
    fn verb(&self, host: &MeshHost) -> Command {
        let mut command = Command::new(self.programs.join("wattle"));
        command.arg("--socket").arg(&host.socket).stdin(Stdio::null());
        command
    }

    fn log(&self, command: &mut Command, name: &str) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.log_path(name))?;
        command.stdout(log.try_clone()?).stderr(log);
        Ok(())
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        // Logs are worth keeping only while a person is told of them, which a panic or an error does.
        if !std::thread::panicking()
            && self.folder.is_absolute()
            && self.hosts.iter().all(|host| host.address.is_some())
        {
            self.hosts.clear();
            self.server = None;
            let _already_gone = fs::remove_dir_all(&self.folder);
        }
    }
}

fn wait_for(socket: &FilePath) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        ensure!(Instant::now() < deadline, "no daemon answers at {}", socket.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
