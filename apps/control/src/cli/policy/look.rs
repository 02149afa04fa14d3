//! Verbs that change nothing on the server.

use std::path::Path;

use anyhow::{Context, ensure};
use hyper::Method;
use wattle_policy::{Problem, Problems, hujson};

use super::super::door::{Door, Failure};
use super::super::{Form, Told, print_line, table};
use super::input::Input;
use crate::admin::documents::{
    CheckDocument, FormatDocument, PolicyDocument, RevisionDocument, TestDocument, TestRequest,
};
use crate::policy_desk;

pub(super) fn check(form: Form, file: &Path) -> anyhow::Result<()> {
    let input = Input::read(file)?;
    let text = input.checked(form)?;
    let document = policy_desk::check(&text).map_err(|problems| input.tell(form, &problems))?;
    form.show(&document, |document| checked(&input.name, document))
}

pub(super) fn checked(name: &str, document: &CheckDocument) -> String {
    let mut words = String::new();
    for note in &document.notes {
        words.push_str(&format!("note: {name}:{}:{}: {}\n", note.line, note.column, note.message));
    }
    let rules = if document.rules == 1 { "1 rule".to_owned() } else { format!("{} rules", document.rules) };
    words + &format!("{name} is a good policy ({rules}).")
}

pub(super) fn format(form: Form, file: &Path, check: bool, write: bool) -> anyhow::Result<()> {
    ensure!(!write || file != Path::new("-"), "--write needs a file to write to");
    let input = Input::read(file)?;
    let laid_out = hujson::format(input.bytes()).map_err(|error| {
        let start = u32::try_from(error.offset).unwrap_or(u32::MAX);
        let at = hujson::Span { start, end: start.saturating_add(1) };
        input.tell(form, &Problems(vec![Problem::new(input.bytes(), at, error.message, None)]))
    })?;
    let changed = laid_out.as_bytes() != input.bytes();
    let document = FormatDocument { text: laid_out, changed };
    if write {
        if changed {
            std::fs::write(file, &document.text).with_context(|| format!("cannot write {}", input.name))?;
        }
        let words = if changed { "is laid out anew" } else { "was laid out well" };
        return form.show(&document, |_| format!("{} {words}.", input.name));
    }
    if check {
        let words = if changed { "would be laid out anew" } else { "is laid out well" };
        form.show(&document, |_| format!("{} {words}.", input.name))?;
        return if changed { Err(Told(Failure::REFUSED).into()) } else { Ok(()) };
    }
    form.show(&document, |document| document.text.clone())
}

pub(super) async fn test(form: Form, door: &Door, file: Option<&Path>) -> anyhow::Result<()> {
    let (input, text) = match file {
        Some(file) => {
            let input = Input::read(file)?;
            let text = input.checked(form)?;
            (input, Some(text))
        }
        None => {
            let head: PolicyDocument = door.read("/policy").await?;
            (Input::of(&format!("revision {}", head.revision), &head.text), None)
        }
    };
    let document: TestDocument = door.send(Method::POST, "/policy/test", &TestRequest { text }).await?;
    if document.failures.is_empty() {
        return form.show(&document, |document| match document.tests {
            0 => format!("{} has no tests.", input.name),
            1 => format!("{} keeps its test.", input.name),
            count => format!("{} keeps its {count} tests.", input.name),
        });
    }
    match form.json {
        true => form.show(&document, |_| String::new())?,
        false => {
            let text = String::from_utf8_lossy(input.bytes());
            let problems = document.failures.iter().map(|failure| failure.within(&text)).collect();
            eprint!("{}", input.report(&Problems(problems)));
        }
    }
    Err(Told(Failure::REFUSED).into())
}

pub(super) async fn show(form: Form, door: &Door, revision: Option<u64>) -> anyhow::Result<()> {
    let path = revision.map_or_else(|| "/policy".to_owned(), |number| format!("/policy/history/{number}"));
    let policy: PolicyDocument = door.read(&path).await?;
    form.show(&policy, |policy| match policy.text.is_empty() {
        true => "// No policy is set: everybody may reach everybody.".to_owned(),
        false => policy.text.clone(),
    })
}

pub(super) async fn history(form: Form, door: &Door) -> anyhow::Result<()> {
    let revisions: Vec<RevisionDocument> = door.read("/policy/history").await?;
    form.show(&revisions, |revisions| listed(revisions))
}

pub(super) fn listed(revisions: &[RevisionDocument]) -> String {
    let rows = revisions.iter().map(|revision| {
        let number = format!("{}{}", revision.number, if revision.current { " *" } else { "" });
        let since = table::when(Some(&revision.at), "");
        [number, since, revision.author.clone(), revision.size.to_string(), revision.note.clone()]
    });
    let none = "No policy was ever set: everybody may reach everybody.";
    table::table(["REVISION", "SINCE", "BY", "BYTES", "WHY"], rows, none)
}

/// Prints a text as it is.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    print_line(text)
}
