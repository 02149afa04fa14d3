//! The project's own coordination server as a process, on loopback, for tests that restart and kill it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running `wattle-control`. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    child: Child,
}

impl Server {
    /// Starts the server with its state in a folder, and waits until it is healthy.
    pub fn start(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let program = program("wattle-control")?;
        let child = spawn(&program, folder, port)?;
        let mut server = Self { program, folder: folder.to_owned(), port, child };
        server.wait_until_healthy()?;
        Ok(server)
    }

    /// Where members join.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as a power cut would, and starts it again on the same state.
    pub fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.restart()
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same state.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.child = spawn(&self.program, &self.folder, self.port)?;
        self.wait_until_healthy()
    }

    /// Runs a verb of its command line and reads what it prints as JSON.
    pub fn verb(&self, words: &[&str]) -> anyhow::Result<Value> {
        let output = Command::new(&self.program).arg("--data").arg(&self.folder).args(words).arg("--json").output()?;
        if !output.status.success() {
            bail!("wattle-control {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Makes a user and a reusable auth key.
    pub fn reusable_key(&self, user: &str) -> anyhow::Result<String> {
        self.verb(&["users", "create", user])?;
        let made = self.verb(&["keys", "create", "--user", user, "--reusable"])?;
        Ok(made["key"].as_str().context("keys create printed no key")?.to_owned())
    }

    /// Processor time used so far.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // After the name in parentheses: utime and stime are fields 14 and 15 of all, in ticks of 10 ms.
        let (_, rest) = stat.rsplit_once(')').context("/proc/PID/stat has no name")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        Ok(Duration::from_millis(10 * (ticks(11) + ticks(12))))
    }

    fn wait_until_healthy(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_healthy(self.port) {
            ensure!(self.child.try_wait()?.is_none(), "wattle-control ended at once");
            ensure!(Instant::now() < deadline, "wattle-control does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn spawn(program: &Path, folder: &Path, port: u16) -> anyhow::Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log"))?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--data").arg(folder).args(["--listen", &format!("127.0.0.1:{port}")]);
    command.args(["--relay-listen", "127.0.0.1:0", "--stun-listen", "127.0.0.1:0"]);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("starting {}", program.display()))
}

/// A program of the project. `cargo xtask test` says where they are; otherwise they stand beside the test itself.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let told = std::env::var_os("WATTLE_PROGRAMS").map(PathBuf::from);
    let beside = || std::env::current_exe().ok().and_then(|test| Some(test.parent()?.parent()?.to_owned()));
    let path = told.or_else(beside).context("where are the programs? set WATTLE_PROGRAMS")?.join(name);
    ensure!(path.is_file(), "{} is not built: cargo build --workspace", path.display());
    Ok(path)
}

fn is_healthy(port: u16) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<bool> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer.ends_with(b"200"))
    };
    ask().unwrap_or(false)
}
