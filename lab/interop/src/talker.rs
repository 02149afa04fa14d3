//! A process that is asked line by line on its standard input and answers line by line on its standard output.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;
use wattle_netns::Host;

use crate::Control;
use crate::logged::show;

/// A running process. Dropping it ends it.
#[derive(Debug)]
pub struct Talker {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    log: PathBuf,
    name: String,
}

impl Talker {
    /// Starts a process of many official nodes (`go/crowd.go`, in the `probe`) on a host; they keep what they must in `folder`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn crowd(host: &Host, probe: &Path, control: &Control, folder: &Path) -> Self {
        let mut command = host.command(probe);
        command.args(["-crowd", "-control", control.url(), "-dir"]).arg(folder);
        command.env("TS_NO_LOGS_NO_SUPPORT", "1").env("HOME", folder);
        Self::start(host.name(), folder, &mut command)
    }

    /// Starts a command; what it writes to standard error goes to `folder/name.log`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, folder: &Path, command: &mut Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let errors = std::fs::File::create(&log).expect("the test's folder is writable");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().expect("a program that was found starts");
        let input = child.stdin.take().expect("its input is a pipe");
        let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let (said, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, input, lines, log, name: name.to_owned() }
    }

    /// The next line that it says.
    pub fn hear(&self, patience: Duration) -> Result<String, String> {
        self.lines.recv_timeout(patience).map_err(|why| match why {
            RecvTimeoutError::Timeout => format!("{} says nothing for {patience:?}", self.name),
            RecvTimeoutError::Disconnected => format!("{} has ended", self.name),
        })
    }

    /// Says a line.
    pub fn say(&mut self, line: &str) -> Result<(), String> {
        writeln!(self.input, "{line}").map_err(|error| format!("{} does not listen: {error}", self.name))
    }

    /// Asks in JSON and reads the answer; a member `error` in it is an error.
    pub fn ask(&mut self, question: &Value, patience: Duration) -> Result<Value, String> {
        self.say(&question.to_string())?;
        self.answer(patience)
    }

    /// Reads an answer in JSON; a member `error` in it is an error.
    pub fn answer(&self, patience: Duration) -> Result<Value, String> {
        let line = self.hear(patience)?;
        let value: Value = serde_json::from_str(&line).map_err(|error| format!("{line:?}: {error}"))?;
        match value["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(value),
        }
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show(&self.name, &std::fs::read_to_string(&self.log).unwrap_or_default());
        }
        // Already ended is fine, and there is nobody to tell otherwise.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
