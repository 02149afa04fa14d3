//! `/admin/policy`: the editor. Everything works by sending the form; the script only spares people the sending.

use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Json, http::HeaderMap};
use maud::{Markup, html};
use serde::Deserialize;

use super::gate::{Visit, same};
use super::posted::Posted;
use super::{frame, show};
use crate::admin::documents::{
    DifferenceDocument, DifferenceRequest, ErrorDocument, PolicyDocument, PolicyRequest, PolicyText,
};
use crate::admin::problem::Problem;
use crate::limits::POLICY_NOTE_CHARS;
use crate::policy_desk::{self, DeskError, PolicyDesk};

/// What the page is told by its address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    saved: Option<u64>,
}

/// What stands in the form, and what came of it.
struct Editor {
    text: String,
    note: String,
    /// The revision that the text was made from.
    base: u64,
    outcome: Outcome,
}

enum Outcome {
    /// Nothing was done yet.
    Fresh,
    Said(String),
    Refused(Problem),
    Preview(DifferenceDocument),
    /// It would lock every administrator out: really?
    LocksOut(DifferenceDocument),
}

pub(super) async fn page(
    State(desk): State<PolicyDesk>,
    Extension(visit): Extension<Visit>,
    Query(told): Query<Told>,
) -> Response {
    let head = match desk.head().await {
        Ok(head) => head,
        Err(error) => return failed(error),
    };
    let outcome = match told.saved {
        Some(revision) if revision == head.revision => {
            Outcome::Said(format!("Saved: revision {revision} is in force."))
        }
        _ => Outcome::Fresh,
    };
    let editor = Editor { text: head.text.clone(), note: String::new(), base: head.revision, outcome };
    shown(&head, &editor, &visit)
}

/// One of the buttons was pressed.
pub(super) async fn act(State(desk): State<PolicyDesk>, posted: Posted) -> Response {
    let head = match desk.head().await {
        Ok(head) => head,
        Err(error) => return failed(error),
    };
    let (text, note) = (posted.lines("text"), posted.text("note").to_owned());
    let base = posted.text("base").parse().unwrap_or(head.revision);
    let mut editor = Editor { text, note, base, outcome: Outcome::Fresh };
    let refused = |error: DeskError, text: &str| Outcome::Refused(Problem::of_desk(error, text));
    let asked = || DifferenceRequest { text: Some(editor.text.clone()), ..DifferenceRequest::default() };
    editor.outcome = match posted.text("act") {
        "save" => {
            let request = PolicyRequest {
                text: editor.text.clone(),
                author: "console".to_owned(),
                note: editor.note.clone(),
                if_revision: Some(base),
                confirm_lockout: posted.is_set("confirm_lockout"),
            };
            match desk.set(request).await {
                Ok(done) => return Redirect::to(&format!("/admin/policy?saved={}", done.revision)).into_response(),
                Err(DeskError::LocksOut) => match desk.difference(asked()).await {
                    Ok(difference) => Outcome::LocksOut(difference),
                    Err(error) => refused(error, &editor.text),
                },
                Err(error) => refused(error, &editor.text),
            }
        }
        "format" => match policy_desk::format(&editor.text) {
            Ok(laid_out) => {
                editor.text = laid_out.text;
                Outcome::Said("Laid out anew; nothing is saved yet.".to_owned())
            }
            Err(problems) => Outcome::Refused(problems.into()),
        },
        "test" => match desk.test(Some(editor.text.clone())).await {
            Ok(tests) if tests.failures.is_empty() => Outcome::Said(match tests.tests {
                0 => "The policy is good. It has no tests.".to_owned(),
                count => format!("The policy is good and keeps its tests ({count})."),
            }),
            Ok(tests) => {
                let mut problem = Problem::invalid("tests fail");
                problem.document.problems = tests.failures;
                Outcome::Refused(problem)
            }
            Err(error) => refused(error, &editor.text),
        },
        _ => match desk.difference(asked()).await {
            Ok(difference) => Outcome::Preview(difference),
            Err(error) => refused(error, &editor.text),
        },
    };
    shown(&head, &editor, &posted.visit)
}

/// For the script: what is wrong with a text. The secret stands in a header, which no other site may send.
pub(super) async fn check(
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    Json(PolicyText { text }): Json<PolicyText>,
) -> Response {
    let secret = headers.get("x-wattle-form").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !same(secret, &visit.form) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let document = match policy_desk::check(&text) {
        Ok(_) => ErrorDocument::default(),
        Err(problems) => Problem::from(problems).document,
    };
    Json(document).into_response()
}

fn failed(error: DeskError) -> Response {
    let problem = Problem::from(error);
    (problem.status, frame::page("Policy", "/admin/policy", &show::refusal(&problem))).into_response()
}

fn shown(head: &PolicyDocument, editor: &Editor, visit: &Visit) -> Response {
    let status = match &editor.outcome {
        Outcome::Refused(problem) => problem.status,
        Outcome::LocksOut(_) => StatusCode::CONFLICT,
        Outcome::Fresh | Outcome::Said(_) | Outcome::Preview(_) => StatusCode::OK,
    };
    let content = html! {
        (in_force(head))
        (outcome(head, editor))
        (form(head, editor, visit))
    };
    (status, frame::page("Policy", "/admin/policy", &content)).into_response()
}

fn in_force(head: &PolicyDocument) -> Markup {
    html! {
        p.quiet {
            @match (head.revision, head.at.as_deref()) {
                (0, _) | (_, None) => "No policy was ever set: everybody may reach everybody.",
                (revision, Some(at)) => {
                    "Revision " (revision) " has been in force since " (show::time(at))
                    @if !head.author.is_empty() { ", by " (head.author) }
                    @if !head.note.is_empty() { ": " q { (head.note) } }
                }
            }
        }
        @if let Some(file) = &head.file {
            (show::notice("plain", &format!("The policy comes from the file {file} on the server: change it there. Here it can be read and tried.")))
        }
    }
}

fn outcome(head: &PolicyDocument, editor: &Editor) -> Markup {
    html! {
        div #outcome aria-live="polite" {
            @match &editor.outcome {
                Outcome::Fresh => {},
                Outcome::Said(sentence) => (show::notice("good", sentence)),
                Outcome::Refused(problem) => {
                    (show::refusal(problem))
                    @if problem.document.code == "policy-moved" {
                        p { a href="/admin/policy/history" { "See what was changed" } ". Your text is below. To save it over the change, "
                            a href="/admin/policy" { "open the page anew" } " and put your text in." }
                    }
                }
                Outcome::Preview(difference) | Outcome::LocksOut(difference) => {
                    section aria-labelledby="preview" {
                        h2 #preview { "What saving would do" }
                        (show::difference(difference, &head.text, &editor.text))
                    }
                }
            }
        }
    }
}

fn form(head: &PolicyDocument, editor: &Editor, visit: &Visit) -> Markup {
    let rows = editor.text.lines().count().clamp(12, 40);
    let ruled_by_file = head.file.is_some();
    html! {
        form #editor method="post" action="/admin/policy" {
            input type="hidden" name="token" value=(visit.form);
            input type="hidden" name="base" value=(editor.base);
            label for="text" { "The policy (JSON; comments and trailing commas are fine)" }
            div.editor {
                pre.gutter aria-hidden="true" {}
                // A line break right after the tag is not part of the text; one that is must not be lost.
                textarea #text name="text" rows=(rows) spellcheck="false" autocomplete="off" autocapitalize="off" wrap="off"
                    aria-describedby="outcome" { "\n" (editor.text) }
            }
            @if !ruled_by_file {
                label for="note" { "Why (shown in the history)" }
                input #note type="text" name="note" maxlength=(POLICY_NOTE_CHARS) value=(editor.note);
            }
            @if matches!(editor.outcome, Outcome::LocksOut(_)) {
                p.tick {
                    input #confirm type="checkbox" name="confirm_lockout" value="yes";
                    label for="confirm" { "I know that no administrator will reach anything by this network." }
                }
            }
            p.buttons {
                // The first one is what the Enter key does.
                button type="submit" name="act" value="preview" { "Preview the difference" }
                @if !ruled_by_file { button.main type="submit" name="act" value="save" { "Save" } }
                button type="submit" name="act" value="test" { "Check and run tests" }
                button type="submit" name="act" value="format" { "Lay out" }
            }
        }
    }
}
