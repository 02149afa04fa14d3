//! A process whose words are kept and shown only when the test fails.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use wattle_netns::{Host, Process};

/// How much of a log is shown: the end says why.
const SHOWN_BYTES: usize = 6000;

/// A running process with its log. Dropping it ends it.
#[derive(Debug)]
pub struct Logged {
    process: Process,
    log: PathBuf,
    name: String,
}

/// Starts a command of this host; its output goes to `folder/name.log`.
///
/// # Panics
/// When it cannot be started.
pub fn spawn_logged(host: &Host, name: &str, folder: &Path, command: &mut Command) -> Logged {
    let log = folder.join(format!("{name}.log"));
    let (out, err) = open_twice(&log);
    let process = host.spawn(command.stdout(out).stderr(err)).expect("a program that was found starts");
    Logged { process, log, name: name.to_owned() }
}

impl Logged {
    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show(&self.name, &self.log());
        }
    }
}

/// Both outputs of a process into one file.
pub(crate) fn open_twice(path: &Path) -> (File, File) {
    let out = File::create(path).expect("the test's folder is writable");
    let err = out.try_clone().expect("a file can be shared");
    (out, err)
}

/// Shows the end of a log.
pub(crate) fn show(name: &str, log: &str) {
    let start = log.len().saturating_sub(SHOWN_BYTES);
    let start = (start..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
    eprintln!("---- end of the log of {name}:\n{}\n----", &log[start..]);
}
