//! `wattle-control policy`.

mod ask;
mod change;
mod eval;
mod input;
mod look;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::Form;
use super::door::Door;

pub(super) const EXAMPLES: &str = "Examples:
  wattle-control policy check policy.hujson                  needs no server
  wattle-control policy diff policy.hujson                   who would gain and lose what
  wattle-control policy set policy.hujson --note \"ops may reach the printers\"
  wattle-control policy set -                                from standard input
  wattle-control policy explain laptop db:5432
  wattle-control policy history
  wattle-control policy restore 7

A policy (JSON, comments allowed):
  {
    \"tagOwners\": { \"tag:server\": [\"alice@example.com\"] },
    \"acls\": [{ \"action\": \"accept\", \"src\": [\"alice@example.com\"], \"dst\": [\"tag:server:22,443\"] }],
  }

It ends with 0 when all is well, 1 when something is wrong or refused, 2 for a wrong command line, 3 when no server
answers, 4 when there is no such thing, 5 when somebody must decide (the policy was changed meanwhile, or would lock
every administrator out).";

pub(super) const SET_EXAMPLES: &str = "Examples:
  wattle-control policy set policy.hujson
  wattle-control policy set policy.hujson --note \"ticket 12\" --if-revision 7
  wattle-control policy set - --yes";

pub(super) const DIFF_EXAMPLES: &str = "Examples:
  wattle-control policy diff policy.hujson                   a file with the policy in force
  wattle-control policy diff policy.hujson --text            its lines
  wattle-control policy diff --revision 7                    what going back would do
  wattle-control policy diff --revision 9 --against 7        what was done between them";

pub(super) const EXPLAIN_EXAMPLES: &str = "Examples:
  wattle-control policy explain laptop db:5432
  wattle-control policy explain alice@example.com 10.1.2.3:443
  wattle-control policy explain 100.64.0.7 printer --proto icmp

It ends with 0 if it is allowed and with 1 if not.";

const FORMAT_EXAMPLES: &str = "Examples:
  wattle-control policy format policy.hujson --write
  wattle-control policy format policy.hujson --check
  wattle-control policy format < policy.hujson";

pub(super) const TEST_EXAMPLES: &str = "Examples:
  wattle-control policy test                                 the policy in force
  wattle-control policy test policy.hujson";

pub(super) const MATRIX_EXAMPLES: &str = "Examples:
  wattle-control policy matrix
  wattle-control policy matrix --who alice --whom tag:db";

const SHOW_EXAMPLES: &str = "Examples:
  wattle-control policy show
  wattle-control policy show --revision 7 > old.hujson";

/// `policy`
#[derive(Args)]
pub(crate) struct Policy {
    #[command(flatten)]
    form: Form,
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Subcommand)]
enum PolicyVerb {
    /// Say what is wrong with a policy, without a server
    #[command(after_help = "Examples:\n  wattle-control policy check policy.hujson\n  wattle-control policy check -")]
    Check {
        /// The file; - is standard input
        file: PathBuf,
    },
    /// Lay a policy out as is usual, without a server
    #[command(after_help = FORMAT_EXAMPLES)]
    Format {
        /// The file; - is standard input
        #[arg(default_value = "-")]
        file: PathBuf,
        /// Only say whether it is laid out so: ends with 1 if not
        #[arg(long, conflicts_with = "write")]
        check: bool,
        /// Write it back to the file
        #[arg(long)]
        write: bool,
    },
    /// Run a policy's tests on the tailnet as it is
    #[command(after_help = TEST_EXAMPLES)]
    Test {
        /// The file; - is standard input; without it the policy in force
        file: Option<PathBuf>,
    },
    /// Say who would gain and lose what
    #[command(after_help = DIFF_EXAMPLES)]
    Diff {
        /// The file; - is standard input
        #[arg(required_unless_present = "revision", conflicts_with = "revision")]
        file: Option<PathBuf>,
        /// A revision instead of a file
        #[arg(long, value_name = "NUMBER")]
        revision: Option<u64>,
        /// Compare with this revision instead of the policy in force
        #[arg(long, value_name = "NUMBER")]
        against: Option<u64>,
        /// Show the lines that differ instead
        #[arg(long)]
        text: bool,
    },
    /// Put a policy in force
    #[command(after_help = SET_EXAMPLES)]
    Set {
        /// The file; - is standard input
        file: PathBuf,
        #[command(flatten)]
        care: Care,
    },
    /// Show the policy in force, or one that was
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// An older one
        #[arg(long, value_name = "NUMBER")]
        revision: Option<u64>,
    },
    /// Show who put which policy in force, when and why
    History,
    /// Put an older policy in force again
    #[command(after_help = "Examples:\n  wattle-control policy restore 7\n  wattle-control policy restore 7 --yes")]
    Restore {
        /// Its number in the history
        revision: u64,
        #[command(flatten)]
        care: Care,
    },
    /// Say which rule lets somebody reach something, or why none does
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain {
        /// A node by name, number or address; a user, for a node of theirs; a tag
        from: String,
        /// The same, or any address, and :PORT if one matters
        to: String,
        /// Protocol, by name or number [default: tcp]
        #[arg(long, default_value = "", hide_default_value = true, value_name = "PROTOCOL")]
        proto: String,
        /// Ask this policy instead of the one in force
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Show who reaches whom
    #[command(after_help = MATRIX_EXAMPLES)]
    Matrix {
        /// Only those with this in their name
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        who: String,
        /// Only to those with this in their name
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        whom: String,
    },
    /// Work out what each node gets, for policies with the tailnets they are for, one JSON case a line
    Eval {
        /// The cases; - is standard input
        #[arg(long)]
        cases: PathBuf,
    },
}

/// How careful a change is.
#[derive(Args, Clone, Debug, Default)]
struct Care {
    /// Why, for the history
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    note: String,
    /// Do nothing unless this revision is in force
    #[arg(long, value_name = "NUMBER")]
    if_revision: Option<u64>,
    /// Don't ask, even if it locks every administrator out
    #[arg(long)]
    yes: bool,
}

impl Policy {
    pub(super) async fn run(self, door: &Door) -> anyhow::Result<()> {
        let form = self.form;
        match self.verb {
            PolicyVerb::Check { file } => look::check(form, &file),
            PolicyVerb::Format { file, check, write } => look::format(form, &file, check, write),
            PolicyVerb::Test { file } => look::test(form, door, file.as_deref()).await,
            PolicyVerb::Show { revision } => look::show(form, door, revision).await,
            PolicyVerb::History => look::history(form, door).await,
            PolicyVerb::Diff { file, revision, against, text } => {
                change::diff(form, door, file.as_deref(), revision, against, text).await
            }
            PolicyVerb::Set { file, care } => change::set(form, door, &file, care).await,
            PolicyVerb::Restore { revision, care } => change::restore(form, door, revision, care).await,
            PolicyVerb::Explain { from, to, proto, policy } => {
                ask::explain(form, door, from, to, proto, policy.as_deref()).await
            }
            PolicyVerb::Matrix { who, whom } => ask::matrix(form, door, &who, &whom).await,
            PolicyVerb::Eval { cases } => evaluate(&cases),
        }
    }
}

/// Answers cases line by line as they come.
fn evaluate(cases: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot read {}", cases.display());
    let input: Box<dyn Read> = match cases == Path::new("-") {
        true => Box::new(std::io::stdin()),
        false => Box::new(std::fs::File::open(cases).with_context(cannot)?),
    };
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    for (number, line) in std::io::BufReader::new(input).lines().enumerate() {
        let line = line.with_context(cannot)?;
        if !line.trim().is_empty() {
            let answer = eval::answer(&line).with_context(|| format!("{}, line {}", cases.display(), number + 1))?;
            writeln!(output, "{answer}")?;
        }
    }
    output.flush().context("cannot write")
}
