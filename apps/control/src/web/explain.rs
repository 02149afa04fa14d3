//! `/admin/policy/explain`: may this reach that, and by which rule?

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::{frame, show};
use crate::admin::documents::{ExplainDocument, ExplainRequest, ReasonDocument};
use crate::admin::problem::Problem;
use crate::policy_desk::PolicyDesk;

const HERE: &str = "/admin/policy/explain";
const TITLE: &str = "Explain";

/// The question, as the form puts it into the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Question {
    from: String,
    to: String,
    protocol: String,
}

pub(super) async fn page(State(desk): State<PolicyDesk>, Query(question): Query<Question>) -> Response {
    if question.from.trim().is_empty() || question.to.trim().is_empty() {
        return frame::page(TITLE, HERE, &form(&question)).into_response();
    }
    let Question { from, to, protocol } = question.clone();
    match desk.explain(ExplainRequest { from, to, protocol, text: None }).await {
        Ok(answer) => {
            let content = html! { (form(&question)) (shown(&answer)) };
            frame::page(TITLE, HERE, &content).into_response()
        }
        Err(error) => {
            let problem = Problem::from(error);
            let content = html! { (form(&question)) (show::refusal(&problem)) };
            (problem.status, frame::page(TITLE, HERE, &content)).into_response()
        }
    }
}

fn form(question: &Question) -> Markup {
    html! {
        form.search method="get" action=(HERE) {
            div { label for="from" { "May this" } input #from type="text" name="from" value=(question.from) placeholder="laptop, alice@example.com"; }
            div { label for="to" { "reach that" } input #to type="text" name="to" value=(question.to) placeholder="db:5432, 10.1.2.3:443"; }
            div { label for="protocol" { "by" } input #protocol type="text" name="protocol" value=(question.protocol) placeholder="tcp" size="6"; }
            button type="submit" { "Ask" }
        }
    }
}

fn shown(answer: &ExplainDocument) -> Markup {
    html! {
        (show::notice(if answer.allowed { "good" } else { "bad" }, &format!("{}.", answer.sentence)))
        (reasons("Rules that allow it", &answer.rules))
        (reasons("Rules that come close", &answer.missed))
    }
}

fn reasons(title: &str, reasons: &[ReasonDocument]) -> Markup {
    html! {
        @if !reasons.is_empty() {
            h2 { (title) }
            ul { @for reason in reasons { li { strong { (show::rule(&reason.rule)) } " " (reason.words) "." } } }
        }
    }
}
