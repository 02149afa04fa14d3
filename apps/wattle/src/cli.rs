//! The command line: which verb, with which flags. Each verb has its own file; here is only the way to them.
//!
//! Verbs, flags and JSON shapes are those that users of the official CLI know (tailscale `cmd/tailscale/cli`). Exit
//! codes: 0 done; 1 it did not work, or the node is not connected where that was asked for; 2 the command was not
//! understood.

mod api;
mod argv;
mod daemon;
mod debug;
mod down;
mod ip;
mod login;
mod logout;
mod netcheck;
mod paths;
mod ping;
mod qr;
mod set;
mod settings;
mod spinner;
mod status;
mod target;
mod up;
mod values;
mod version;
mod wait;
mod whois;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use api::Api;

/// What a verb came to, when nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Done.
    Done,
    /// The answer is no: not connected, no such address, no pong. What there is to say was said.
    No,
}

/// The node of a mesh that you own: joins machines into one private network.
#[derive(Debug, Parser)]
#[command(
    name = "wattle",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  sudo wattle daemon\n  sudo wattle up --login-server https://mesh.example.com\n  wattle status\n  wattle ping laptop"
)]
struct Cli {
    /// Where the daemon listens
    #[arg(long, global = true, value_name = "PATH", default_value = wattle_local_api::SOCKET, env = "WATTLE_SOCKET")]
    socket: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[command(flatten)]
    Ask(Ask),
    Daemon(daemon::Daemon),
}

/// Verbs that ask a running daemon.
#[derive(Debug, Subcommand)]
enum Ask {
    Up(up::Up),
    Down(down::Down),
    Set(set::Set),
    Login(login::Login),
    Logout(logout::Logout),
    Status(status::Show),
    Ip(ip::Ip),
    Ping(ping::Ping),
    Netcheck(netcheck::Netcheck),
    Whois(whois::Whois),
    Version(version::Version),
    Debug(debug::Debug),
}

/// Runs the command that `arguments` spell (the program's name first).
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(argv::normalise(arguments)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout, complaints to stderr; where that is closed nobody reads anyway.
            let _closed: io::Result<()> = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match execute(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::FAILURE,
        // Somebody such as `head` has read enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _closed: io::Result<()> = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.verb {
        Verb::Daemon(daemon) => daemon.run(cli.socket),
        Verb::Ask(ask) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(ask.run(&Api::new(cli.socket)))
        }
    }
}

impl Ask {
    async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        match self {
            Self::Up(verb) => verb.run(api).await,
            Self::Down(verb) => verb.run(api).await,
            Self::Set(verb) => verb.run(api).await,
            Self::Login(verb) => verb.run(api).await,
            Self::Logout(verb) => verb.run(api).await,
            Self::Status(verb) => verb.run(api).await,
            Self::Ip(verb) => verb.run(api).await,
            Self::Ping(verb) => verb.run(api).await,
            Self::Netcheck(verb) => verb.run(api).await,
            Self::Whois(verb) => verb.run(api).await,
            Self::Version(verb) => verb.run(api).await,
            Self::Debug(verb) => verb.run(api).await,
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes to stdout at once, also when that is a pipe.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Indented JSON with a line end.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    Ok(print(&(serde_json::to_string_pretty(value)? + "\n"))?)
}

#[cfg(test)]
mod tests;
