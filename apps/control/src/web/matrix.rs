//! `/admin/policy/matrix`: who reaches whom, to be searched.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::{frame, show};
use crate::admin::documents::{CellDocument, MatrixDocument, MatrixQuery, PartiesDocument};
use crate::admin::problem::Problem;
use crate::policy_desk::PolicyDesk;

const HERE: &str = "/admin/policy/matrix";
const TITLE: &str = "Who reaches whom";

pub(super) async fn page(State(desk): State<PolicyDesk>, Query(query): Query<MatrixQuery>) -> Response {
    match desk.matrix(query.clone()).await {
        Ok(matrix) => frame::page(TITLE, HERE, &shown(&query, &matrix)).into_response(),
        Err(error) => {
            let problem = Problem::from(error);
            (problem.status, frame::page(TITLE, HERE, &show::refusal(&problem))).into_response()
        }
    }
}

fn shown(query: &MatrixQuery, matrix: &MatrixDocument) -> Markup {
    html! {
        form.search method="get" action=(HERE) role="search" {
            div { label for="who" { "Who" } input #who type="search" name="who" value=(query.who) placeholder="alice, tag:web"; }
            div { label for="whom" { "Whom" } input #whom type="search" name="whom" value=(query.whom) placeholder="tag:db, 10.0.0.0/8"; }
            button type="submit" { "Search" }
        }
        p #count.quiet role="status" {
            @match matrix.cells.len() {
                0 => "Nobody reaches anybody here.",
                1 => "One row.",
                count => { (count) " rows." }
            }
            @if matrix.more > 0 { " And " (matrix.more) " more: search for a name." }
        }
        @if !matrix.cells.is_empty() {
            div.wide role="region" aria-label=(TITLE) tabindex="0" {
                table #matrix {
                    thead { tr {
                        th scope="col" { "Who" } th scope="col" { "reaches" } th scope="col" { "on" } th scope="col" { "by rule" }
                    } }
                    tbody { @for cell in &matrix.cells { (row(cell)) } }
                }
            }
        }
    }
}

fn row(cell: &CellDocument) -> Markup {
    let rules: Vec<String> = cell.rules.iter().map(show::rule).collect();
    html! {
        tr {
            th scope="row" { (parties(&cell.who)) }
            td { @if cell.own { "their own other devices" } @else { (parties(&cell.whom)) } }
            td { (cell.access) }
            td { (rules.join("; ")) }
        }
    }
}

/// A few names, and the rest on demand.
fn parties(parties: &PartiesDocument) -> Markup {
    html! {
        @if parties.count <= 6 {
            (parties.names.join(", "))
        } @else {
            details {
                summary { (parties.in_words()) }
                (parties.names.join(", "))
                @if parties.count > parties.names.len() { " and " (parties.count - parties.names.len()) " more" }
            }
        }
    }
}
