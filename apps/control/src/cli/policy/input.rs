//! A policy that somebody names: a file, or standard input.

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use wattle_policy::limits::TEXT_BYTES_MAX;
use wattle_policy::{Policy, Problems};

use super::super::door::Failure;
use super::super::{Form, Told};
use crate::admin::documents::{ErrorDocument, ProblemDocument};

/// Its bytes and what to call it.
pub(super) struct Input {
    pub(super) name: String,
    bytes: Vec<u8>,
}

impl Input {
    /// Reads as much as a policy may have, and one byte more: then it is refused for its size.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let is_stdin = file == Path::new("-");
        let name = if is_stdin { "standard input".to_owned() } else { file.display().to_string() };
        let source: Box<dyn Read> = match is_stdin {
            true => Box::new(std::io::stdin()),
            false => Box::new(std::fs::File::open(file).with_context(|| format!("cannot read {name}"))?),
        };
        let most = u64::try_from(TEXT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        source.take(most).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
        Ok(Self { name, bytes })
    }

    /// A text that the server told.
    pub(super) fn of(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text of a policy that has nothing wrong with it; else tells what is wrong.
    pub(super) fn checked(&self, form: Form) -> anyhow::Result<String> {
        match (Policy::parse(&self.bytes), std::str::from_utf8(&self.bytes)) {
            (Ok(_), Ok(text)) => Ok(text.to_owned()),
            (Err(problems), _) => Err(self.tell(form, &problems)),
            (Ok(_), Err(_)) => anyhow::bail!("{} is not UTF-8", self.name),
        }
    }

    /// Prints problems as a compiler does, or as JSON, and ends the program with that.
    pub(super) fn tell(&self, form: Form, problems: &Problems) -> anyhow::Error {
        match form.json {
            true => {
                let document = ErrorDocument {
                    error: problems.to_string(),
                    code: "policy-invalid".to_owned(),
                    problems: problems.0.iter().map(ProblemDocument::of).collect(),
                };
                if let Err(error) = form.show(&document, |_| String::new()) {
                    return error;
                }
            }
            false => eprint!("{}", self.report(problems)),
        }
        Told(Failure::REFUSED).into()
    }

    /// All problems with their lines, and how many there are.
    pub(super) fn report(&self, problems: &Problems) -> String {
        let count = match problems.0.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        format!("{}\n{}: {count}\n", problems.report(&self.name), self.name)
    }

    /// What the server refused, with the places that it named shown in our text.
    pub(super) fn refused(&self, form: Form, error: anyhow::Error) -> anyhow::Error {
        let Some(failure) = error.downcast_ref::<Failure>() else { return error };
        let Ok(text) = std::str::from_utf8(&self.bytes) else { return error };
        if failure.document.problems.is_empty() {
            return error;
        }
        match form.json {
            true => match form.show(&failure.document, |_| String::new()) {
                Ok(()) => Told(failure.code).into(),
                Err(error) => error,
            },
            false => {
                let problems = failure.document.problems.iter().map(|problem| problem.within(text)).collect();
                eprint!("{}", self.report(&Problems(problems)));
                Told(failure.code).into()
            }
        }
    }
}
