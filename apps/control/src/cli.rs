//! The verbs of administrators. Each is a call through the running server's socket, and one way to show the answer.

mod console;
mod door;
mod keys;
mod nodes;
mod policy;
mod routes;
mod settings;
mod ssh;
mod table;
mod users;

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use door::{Door, Failure};

/// What can be administered.
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// People whom nodes belong to
    #[command(after_help = users::EXAMPLES)]
    Users(users::Users),
    /// Machines in the network, and those that wait to be let in
    #[command(after_help = nodes::EXAMPLES)]
    Nodes(nodes::Nodes),
    /// Auth keys, with which machines join without a person
    #[command(after_help = keys::EXAMPLES)]
    Keys(keys::Keys),
    /// Who may reach whom
    #[command(after_help = policy::EXAMPLES)]
    Policy(policy::Policy),
    /// Which networks nodes lead to
    #[command(after_help = routes::EXAMPLES)]
    Routes(routes::Routes),
    /// How the network is run: whether new machines need approval
    #[command(after_help = settings::EXAMPLES)]
    Settings(settings::SettingsArgs),
    /// People who wait to log in by SSH where the policy asks first
    #[command(after_help = ssh::EXAMPLES)]
    Ssh(ssh::Ssh),
    /// A link to the console: pages for administrators
    #[command(after_help = console::EXAMPLES)]
    Console(console::ConsoleArgs),
}

/// Does what was asked of the server whose folder this is.
pub(crate) async fn run(verb: Verb, data: &Path) -> anyhow::Result<()> {
    let door = Door::new(data.join("admin.sock"));
    match verb {
        Verb::Users(users) => users.run(&door).await,
        Verb::Nodes(nodes) => nodes.run(&door).await,
        Verb::Keys(keys) => keys.run(&door).await,
        Verb::Policy(policy) => policy.run(&door).await,
        Verb::Routes(routes) => routes.run(&door).await,
        Verb::Settings(settings) => settings.run(&door).await,
        Verb::Ssh(ssh) => ssh.run(&door).await,
        Verb::Console(console) => console.run(&door).await,
    }
}

/// What the program's end says to scripts: 3 no server to ask, 4 no such thing, 5 somebody must decide, 1 everything
/// else. (2 is a wrong command line, which clap tells.)
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    match (error.downcast_ref::<Told>(), error.downcast_ref::<Failure>()) {
        (Some(Told(code)), _) => *code,
        (None, Some(failure)) => failure.code,
        (None, None) => Failure::REFUSED,
    }
}

/// Whether what went wrong has been told already.
pub(crate) fn is_told(error: &anyhow::Error) -> bool {
    error.is::<Told>()
}

/// The program ends with this code, and has said why.
#[derive(Debug, thiserror::Error)]
#[error("see above")]
struct Told(u8);

/// How an answer is shown: to people, or to programs.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Form {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

impl Form {
    /// Prints a document, or the text that `words` makes of it.
    fn show<T: Serialize>(self, document: &T, words: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let text = match self.json {
            true => serde_json::to_string_pretty(document).context("cannot print the answer")?,
            false => words(document),
        };
        print_line(&text)
    }
}

/// Prints to standard output. A reader that has seen enough (`| head`) is no error.
fn print_line(text: &str) -> anyhow::Result<()> {
    use std::io::{ErrorKind, Write};
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot print the answer"),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::Verb;
    use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        _verb: Verb,
    }

    #[test]
    fn every_example_in_the_help_is_a_command() {
        let examples = [
            super::users::EXAMPLES,
            super::nodes::EXAMPLES,
            super::keys::EXAMPLES,
            super::policy::EXAMPLES,
            super::policy::SET_EXAMPLES,
            super::policy::DIFF_EXAMPLES,
            super::policy::EXPLAIN_EXAMPLES,
            super::policy::TEST_EXAMPLES,
            super::policy::MATRIX_EXAMPLES,
            super::routes::EXAMPLES,
            super::settings::EXAMPLES,
            super::ssh::EXAMPLES,
            super::console::EXAMPLES,
        ];
        let mut count = 0;
        for line in
            examples.iter().flat_map(|text| text.lines()).filter_map(|line| line.trim().strip_prefix("wattle-control "))
        {
            // The quoted words of a note count as one.
            let line = line.split("  ").next().unwrap();
            let words = line.split('"').enumerate().flat_map(|(index, part)| match index % 2 {
                0 => part.split_whitespace().collect::<Vec<_>>(),
                _ => vec![part],
            });
            let matches = Line::command().try_get_matches_from(std::iter::once("wattle-control").chain(words));
            assert!(matches.is_ok_and(|matches| Verb::from_arg_matches(&matches).is_ok()), "{line}");
            count += 1;
        }
        assert!(count > 10);
        Verb::augment_subcommands(clap::Command::new("x")).debug_assert();
    }
}
