//! Verbs that put a policy in force, and the one that says what that would do.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;
use hyper::Method;

use super::super::door::{Door, Failure};
use super::super::{Form, table};
use super::input::Input;
use super::{Care, look};
use crate::admin::documents::{
    DifferenceDocument, DifferenceRequest, PolicyDocument, PolicyRequest, PolicySetDocument, RestoreRequest,
};
use crate::line_diff;

pub(super) async fn diff(
    form: Form,
    door: &Door,
    file: Option<&Path>,
    revision: Option<u64>,
    against: Option<u64>,
    text: bool,
) -> anyhow::Result<()> {
    let input = match file {
        Some(file) => Some(Input::read(file)?),
        None => None,
    };
    let after = match &input {
        Some(input) => Some(input.checked(form)?),
        None => None,
    };
    if text {
        let after = match (after, revision) {
            (Some(text), _) => text,
            (None, number) => at(door, number).await?,
        };
        let before = at(door, against).await?;
        return match form.json {
            true => form.show(&line_diff::text(&before, &after), String::clone),
            false => look::print(&line_diff::text(&before, &after)),
        };
    }
    let request = DifferenceRequest { text: after, revision, against };
    let difference: DifferenceDocument = door.send(Method::POST, "/policy/diff", &request).await?;
    form.show(&difference, sentences)
}

/// The text of a revision, or of the one in force.
async fn at(door: &Door, revision: Option<u64>) -> anyhow::Result<String> {
    let path = revision.map_or_else(|| "/policy".to_owned(), |number| format!("/policy/history/{number}"));
    Ok(door.read::<PolicyDocument>(&path).await?.text)
}

/// What a change does: `+` what is gained, `-` what is lost, `*` the rest.
pub(super) fn sentences(difference: &DifferenceDocument) -> String {
    let mut words = match difference.against {
        0 => "Compared with no policy, where everybody may reach everybody:\n".to_owned(),
        number => format!("Compared with revision {number}:\n"),
    };
    for gain in &difference.gains {
        let sign = if gain.gains { '+' } else { '-' };
        words.push_str(&format!("  {sign} {}\n", table::printable(&gain.sentence)));
    }
    for sentence in &difference.also {
        words.push_str(&format!("  * {}\n", table::printable(sentence)));
    }
    if difference.more > 0 {
        words.push_str(&format!("  ... and {} more\n", difference.more));
    }
    if difference.gains.is_empty() && difference.also.is_empty() {
        let why = if difference.same_text { "the text is the same" } else { "nobody gains or loses anything" };
        words.push_str(&format!("  {why}\n"));
    }
    if difference.locks_out {
        words.push_str("No administrator could reach anything any more: all their devices would be locked out.\n");
    }
    words
}

pub(super) async fn set(form: Form, door: &Door, file: &Path, care: Care) -> anyhow::Result<()> {
    let input = Input::read(file)?;
    let text = input.checked(form)?;
    let asked = DifferenceRequest { text: Some(text.clone()), ..DifferenceRequest::default() };
    let (if_revision, confirm_lockout) = look_before(form, door, &asked, &care).await?;
    let request = PolicyRequest { text, author: author(), note: care.note, if_revision, confirm_lockout };
    let done: anyhow::Result<PolicySetDocument> = door.send(Method::PUT, "/policy", &request).await;
    let done = done.map_err(|error| input.refused(form, error))?;
    form.show(&done, in_force)
}

pub(super) async fn restore(form: Form, door: &Door, revision: u64, care: Care) -> anyhow::Result<()> {
    let asked = DifferenceRequest { revision: Some(revision), ..DifferenceRequest::default() };
    let input = Input::of(&format!("revision {revision}"), &at(door, Some(revision)).await?);
    let (if_revision, confirm_lockout) = look_before(form, door, &asked, &care).await?;
    let request = RestoreRequest { revision, author: author(), note: care.note, if_revision, confirm_lockout };
    let done: anyhow::Result<PolicySetDocument> = door.send(Method::POST, "/policy/restore", &request).await;
    let done = done.map_err(|error| input.refused(form, error))?;
    form.show(&done, in_force)
}

/// Shows what a change does and asks if it must. Gives the revision that was looked at, so that nothing else comes in
/// between, and whether a lockout is meant.
async fn look_before(
    form: Form,
    door: &Door,
    asked: &DifferenceRequest,
    care: &Care,
) -> anyhow::Result<(Option<u64>, bool)> {
    let difference: DifferenceDocument = door.send(Method::POST, "/policy/diff", asked).await?;
    if !form.json {
        look::print(&sentences(&difference))?;
    }
    let confirmed = care.yes || difference.locks_out && asks(form) && confirmed()?;
    if difference.locks_out && !confirmed {
        let sentence = "nothing was changed: this would lock every administrator out. Say --yes if that is meant";
        return Err(Failure::undecided(sentence).into());
    }
    Ok((Some(care.if_revision.unwrap_or(difference.against)), confirmed))
}

/// Whether somebody is there to be asked.
fn asks(form: Form) -> bool {
    !form.json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

fn confirmed() -> anyhow::Result<bool> {
    print!("Put it in force all the same? Write \"yes\": ");
    std::io::stdout().flush().context("cannot ask")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

fn in_force(done: &PolicySetDocument) -> String {
    match done.changed {
        true => format!("The policy is in force: revision {}.", done.revision),
        false => format!("This policy is in force already (revision {}).", done.revision),
    }
}

/// Who sits there, for the history. It proves nothing: who may use the socket may do everything.
fn author() -> String {
    let names = ["SUDO_USER", "USER", "LOGNAME"];
    names.iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty())).unwrap_or_default()
}
