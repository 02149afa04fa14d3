//! Verbs that ask who reaches whom.

use std::path::Path;

use hyper::Method;

use super::super::door::{Door, Failure, part};
use super::super::{Form, Told, table};
use super::input::Input;
use crate::admin::documents::{
    CellDocument, ExplainDocument, ExplainRequest, MatrixDocument, ReasonDocument, RuleDocument,
};

pub(super) async fn explain(
    form: Form,
    door: &Door,
    from: String,
    to: String,
    protocol: String,
    policy: Option<&Path>,
) -> anyhow::Result<()> {
    let text = match policy {
        Some(file) => Some(Input::read(file)?.checked(form)?),
        None => None,
    };
    let request = ExplainRequest { from, to, protocol, text };
    let answer: ExplainDocument = door.send(Method::POST, "/policy/explain", &request).await?;
    form.show(&answer, explained)?;
    if answer.allowed { Ok(()) } else { Err(Told(Failure::REFUSED).into()) }
}

pub(super) fn explained(answer: &ExplainDocument) -> String {
    let mut words = format!("{}.\n", table::printable(&answer.sentence));
    let mut list = |title: &str, reasons: &[ReasonDocument]| {
        if !reasons.is_empty() {
            words.push_str(title);
        }
        for reason in reasons {
            words.push_str(&format!("  {}: {}\n", rule(&reason.rule), table::printable(&reason.words)));
        }
    };
    list("Allowed by:\n", &answer.rules);
    list("These come close:\n", &answer.missed);
    words
}

pub(super) async fn matrix(form: Form, door: &Door, who: &str, whom: &str) -> anyhow::Result<()> {
    let path = format!("/policy/matrix?who={}&whom={}", part(who), part(whom));
    let matrix: MatrixDocument = door.read(&path).await?;
    form.show(&matrix, listed)
}

pub(super) fn listed(matrix: &MatrixDocument) -> String {
    let row = |cell: &CellDocument| {
        let rules: Vec<String> = cell.rules.iter().map(rule).collect();
        let whom = if cell.own { "their own other devices".to_owned() } else { cell.whom.in_words() };
        [cell.who.in_words(), whom, cell.access.clone(), rules.join("; ")]
    };
    let rows = matrix.cells.iter().map(row);
    let table = table::table(["WHO", "WHOM", "ON", "BY RULE"], rows, "Nobody reaches anybody here.");
    match matrix.more {
        0 => table,
        more => format!("{table}\n... and {more} more rows: narrow them with --who and --whom"),
    }
}

/// `acls[3], line 12`
fn rule(rule: &RuleDocument) -> String {
    match rule.line {
        Some(line) => format!("{}, line {line}", rule.name),
        None => rule.name.clone(),
    }
}
