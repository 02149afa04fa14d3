//! Parts that several pages show: problems, differences, rules.

use maud::{Markup, html};

use crate::admin::documents::{DifferenceDocument, ProblemDocument, RuleDocument};
use crate::admin::problem::Problem;
use crate::line_diff::{self, Line};

/// A sentence that stands out. Screen readers read it at once.
pub(super) fn notice(kind: &str, sentence: &str) -> Markup {
    html! { p.notice.(kind) role="status" { (sentence) } }
}

/// A refusal, with the places that it is about.
pub(super) fn refusal(problem: &Problem) -> Markup {
    html! {
        @if problem.document.problems.is_empty() {
            p.notice.bad role="alert" { (problem.document.error) }
        } @else {
            (problems(&problem.document.problems))
        }
    }
}

/// What is wrong, each with its line. The script keeps this list up to date while somebody writes.
pub(super) fn problems(problems: &[ProblemDocument]) -> Markup {
    html! {
        p.notice.bad role="alert" {
            @match problems.len() {
                1 => "One thing is wrong; nothing was changed.",
                count => { (count) " things are wrong; nothing was changed." }
            }
        }
        ol.problems {
            @for problem in problems {
                li data-line=(problem.line) data-column=(problem.column) {
                    strong { "Line " (problem.line) ", column " (problem.column) ": " }
                    (problem.message)
                    @if let Some(hint) = &problem.hint { " " em { (hint) } }
                    pre { (problem.excerpt) }
                }
            }
        }
    }
}

/// What a change does, in sentences, and its lines.
pub(super) fn difference(difference: &DifferenceDocument, before: &str, after: &str) -> Markup {
    let part = |gains: bool| difference.gains.iter().filter(move |gain| gain.gains == gains);
    html! {
        @if difference.locks_out {
            p.notice.bad role="alert" {
                "No administrator could reach anything any more: every device of theirs would be locked out."
            }
        }
        @for (gains, title) in [(true, "Gained"), (false, "Lost")] {
            @if part(gains).next().is_some() {
                h3 { (title) }
                ul.gains.(if gains { "more" } else { "less" }) {
                    @for gain in part(gains) { li { (gain.sentence) } }
                }
            }
        }
        @if !difference.also.is_empty() {
            h3 { "Besides" }
            ul { @for sentence in &difference.also { li { (sentence) } } }
        }
        @if difference.more > 0 { p { "And " (difference.more) " more." } }
        @if difference.gains.is_empty() && difference.also.is_empty() {
            p { "Nobody gains or loses access with the devices that are here now." }
        }
        @if before != after {
            details {
                summary { "Lines that change" }
                (line_changes(before, after))
            }
        }
    }
}

fn line_changes(before: &str, after: &str) -> Markup {
    html! {
        pre.lines {
            @for line in line_diff::changes(before, after) {
                @match line {
                    Some(Line::Kept(line)) => span { "  " (line) "\n" },
                    Some(Line::Gone(line)) => del { "- " (line) "\n" },
                    Some(Line::New(line)) => ins { "+ " (line) "\n" },
                    None => span { "…\n" },
                }
            }
        }
    }
}

/// A time of the server, to the minute.
pub(super) fn time(at: &str) -> Markup {
    let shown = at.get(..16).map_or_else(|| at.to_owned(), |minute| format!("{} UTC", minute.replace('T', " ")));
    html! { time datetime=(at) { (shown) } }
}

/// `acls[3], line 12`
pub(super) fn rule(rule: &RuleDocument) -> String {
    match rule.line {
        Some(line) => format!("{}, line {line}", rule.name),
        None => rule.name.clone(),
    }
}
