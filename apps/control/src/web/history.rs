//! `/admin/policy/history`: policies that were in force, and going back to one.

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::gate::Visit;
use super::posted::Posted;
use super::{frame, show};
use crate::admin::documents::{
    DifferenceDocument, DifferenceRequest, PolicyDocument, RestoreRequest, RevisionDocument,
};
use crate::admin::problem::Problem;
use crate::policy_desk::{DeskError, PolicyDesk};

const HERE: &str = "/admin/policy/history";

pub(super) async fn list(State(desk): State<PolicyDesk>) -> Response {
    match desk.revisions().await {
        Ok(revisions) => frame::page("History of the policy", HERE, &table(&revisions)).into_response(),
        Err(error) => failed(error),
    }
}

fn table(revisions: &[RevisionDocument]) -> Markup {
    html! {
        @if revisions.is_empty() {
            p { "No policy was ever set: everybody may reach everybody." }
        } @else {
            div.wide role="region" aria-label="Revisions" tabindex="0" {
                table {
                    thead { tr {
                        th scope="col" { "Revision" } th scope="col" { "Since" } th scope="col" { "By" }
                        th scope="col" { "Why" } th scope="col" { "Bytes" }
                    } }
                    tbody {
                        @for revision in revisions {
                            tr {
                                th scope="row" {
                                    a href=(format!("{HERE}/{}", revision.number)) { (revision.number) }
                                    @if revision.current { " (in force)" }
                                }
                                td { (show::time(&revision.at)) }
                                td { (revision.author) }
                                td { (revision.note) }
                                td.number { (revision.size) }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) async fn revision(
    State(desk): State<PolicyDesk>,
    Extension(visit): Extension<Visit>,
    Path(number): Path<String>,
) -> Response {
    one(&desk, &visit, &number, None).await
}

/// Puts a revision in force again.
pub(super) async fn restore(State(desk): State<PolicyDesk>, Path(number): Path<String>, posted: Posted) -> Response {
    let Ok(revision) = number.parse() else { return nowhere() };
    let request = RestoreRequest {
        revision,
        author: "console".to_owned(),
        note: String::new(),
        if_revision: posted.text("base").parse().ok(),
        confirm_lockout: posted.is_set("confirm_lockout"),
    };
    match desk.restore(request).await {
        Ok(done) => Redirect::to(&format!("/admin/policy?saved={}", done.revision)).into_response(),
        Err(error) => one(&desk, &posted.visit, &number, Some(error)).await,
    }
}

async fn one(desk: &PolicyDesk, visit: &Visit, number: &str, refused: Option<DeskError>) -> Response {
    let Ok(number) = number.parse() else { return nowhere() };
    let (there, head) = match (desk.revision(number).await, desk.head().await) {
        (Ok(there), Ok(head)) => (there, head),
        (Err(error), _) | (_, Err(error)) => return failed(error),
    };
    let asked = DifferenceRequest { revision: Some(number), ..DifferenceRequest::default() };
    let difference = desk.difference(asked).await;
    let refused = refused.map(|error| Problem::of_desk(error, &there.text));
    let status = refused.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let content = html! {
        @if let Some(problem) = &refused { (show::refusal(problem)) }
        (shown(&there, &head, &difference, visit))
    };
    (status, frame::page(&format!("Revision {number} of the policy"), HERE, &content)).into_response()
}

fn shown(
    there: &PolicyDocument,
    head: &PolicyDocument,
    difference: &Result<DifferenceDocument, DeskError>,
    visit: &Visit,
) -> Markup {
    html! {
        p.quiet {
            @if let Some(at) = &there.at { "In force since " (show::time(at)) }
            @if !there.author.is_empty() { ", by " (there.author) }
            @if !there.note.is_empty() { ": " q { (there.note) } }
        }
        @if there.current {
            (show::notice("good", "This revision is in force."))
        } @else {
            section aria-labelledby="back" {
                h2 #back { "What going back to it would do" }
                @match difference {
                    Ok(difference) => (show::difference(difference, &head.text, &there.text)),
                    Err(error) => (show::notice("bad", &error.to_string())),
                }
                @if head.file.is_none() {
                    form method="post" action=(format!("{HERE}/{}", there.revision)) {
                        input type="hidden" name="token" value=(visit.form);
                        input type="hidden" name="base" value=(head.revision);
                        @if matches!(difference, Ok(difference) if difference.locks_out) {
                            p.tick {
                                input #confirm type="checkbox" name="confirm_lockout" value="yes";
                                label for="confirm" { "I know that no administrator will reach anything by this network." }
                            }
                        }
                        p.buttons { button.main type="submit" { "Put revision " (there.revision) " in force again" } }
                    }
                }
            }
        }
        h2 { "Its text" }
        pre.text tabindex="0" { (there.text) }
    }
}

fn nowhere() -> Response {
    failed(DeskError::Question("Revisions of the policy are numbers.".to_owned()))
}

fn failed(error: DeskError) -> Response {
    let problem = Problem::from(error);
    (problem.status, frame::page("History of the policy", HERE, &show::refusal(&problem))).into_response()
}
