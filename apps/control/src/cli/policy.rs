//! `wattle-control policy`.

mod eval;

use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use hyper::Method;

use super::Form;
use super::door::Door;
use crate::admin::documents::{DoneDocument, PolicyDocument};

pub(super) const EXAMPLES: &str = "Examples:
  wattle-control policy check policy.hujson    needs no server
  wattle-control policy set policy.hujson
  wattle-control policy set -                  from standard input
  wattle-control policy show

A policy (JSON, comments allowed):
  {
    \"tagOwners\": { \"tag:server\": [\"alice@example.com\"] },
    \"acls\": [{ \"action\": \"accept\", \"src\": [\"alice@example.com\"], \"dst\": [\"tag:server:22,443\"] }],
  }";

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
    Check {
        /// The file; - is standard input
        file: PathBuf,
    },
    /// Put a policy in force
    Set {
        /// The file; - is standard input
        file: PathBuf,
    },
    /// Show the policy in force
    Show,
    /// Work out what each node gets, for policies with the tailnets they are for, one JSON case a line
    Eval {
        /// The cases; - is standard input
        #[arg(long)]
        cases: PathBuf,
    },
}

impl Policy {
    pub(super) async fn run(self, door: &Door) -> anyhow::Result<()> {
        match self.verb {
            PolicyVerb::Check { file } => {
                checked(&file)?;
                self.form.show(&DoneDocument {}, |_| format!("{} is a good policy.", file.display()))
            }
            PolicyVerb::Set { file } => {
                let text = checked(&file)?;
                let done: DoneDocument = door.send(Method::PUT, "/policy", &PolicyDocument { text }).await?;
                self.form.show(&done, |_| "The policy is in force.".to_owned())
            }
            PolicyVerb::Eval { cases } => evaluate(&cases),
            PolicyVerb::Show => {
                let policy: PolicyDocument = door.read("/policy").await?;
                self.form.show(&policy, |policy| match policy.text.is_empty() {
                    true => "// No policy is set: everybody may reach everybody.".to_owned(),
                    false => policy.text.clone(),
                })
            }
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

/// The text of a policy that has nothing wrong with it.
fn checked(file: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read {}", file.display());
    let text = match file == Path::new("-") {
        true => {
            let mut text = String::new();
            let limit = u64::try_from(wattle_policy::limits::TEXT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
            std::io::stdin().take(limit).read_to_string(&mut text).with_context(cannot)?;
            text
        }
        false => std::fs::read_to_string(file).with_context(cannot)?,
    };
    wattle_policy::Policy::parse(text.as_bytes()).with_context(|| file.display().to_string())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_policy_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.hujson");
        std::fs::write(&file, "{\n  // a comment\n  \"acl\": []\n}").unwrap();
        let error = format!("{:#}", checked(&file).unwrap_err());
        assert!(error.contains("policy.hujson: policy, line 3, column 3: unknown field \"acl\""), "{error}");
        std::fs::write(&file, "{\"acls\": [],}").unwrap();
        assert_eq!(checked(&file).unwrap(), "{\"acls\": [],}");
        assert!(checked(&folder.path().join("none")).is_err());
    }
}
