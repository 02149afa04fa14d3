//! What the verbs print, for a small policy.

use wattle_policy::Policy;

use super::super::Form;
use super::input::Input;
use super::{ask, change, look};
use crate::admin::documents::{
    CellDocument, DifferenceDocument, ExplainDocument, GainDocument, MatrixDocument, PartiesDocument, ReasonDocument,
    RevisionDocument, RuleDocument,
};
use crate::policy_desk;

const PEOPLE: Form = Form { json: false };

#[test]
fn what_is_wrong_with_a_policy_is_shown_as_a_compiler_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.hujson");
    std::fs::write(&file, "{\n  // a comment\n  \"acl\": [],\n  \"group\": {},\n}").unwrap();
    let input = Input::read(&file).unwrap();
    let report = input.report(&Policy::parse(input.bytes()).unwrap_err());
    assert!(report.starts_with("error: json: unknown field \"acl\""), "{report}");
    assert!(report.contains("policy.hujson:3:3\n") && report.contains("policy.hujson:4:3\n"), "{report}");
    assert!(report.contains("\n3 |   \"acl\": [],\n"), "{report}");
    assert!(report.ends_with("policy.hujson: 2 problems\n"), "{report}");
    let error = input.checked(PEOPLE).unwrap_err();
    assert!(super::super::is_told(&error) && super::super::exit_code(&error) == 1);
    std::fs::write(&file, "{\"acls\": [],}").unwrap();
    assert_eq!(Input::read(&file).unwrap().checked(PEOPLE).unwrap(), "{\"acls\": [],}");
    assert!(Input::read(&folder.path().join("none")).is_err());
}

#[test]
fn bad_bytes_and_excess_are_problems_with_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.hujson");
    std::fs::write(&file, b"{\n\"groups\": {\"group:\xff\": []}}").unwrap();
    let input = Input::read(&file).unwrap();
    assert!(input.report(&Policy::parse(input.bytes()).unwrap_err()).contains("policy.hujson:2:"));
    std::fs::write(&file, format!("{{ /*{}*/ }}", "x".repeat(10 << 20))).unwrap();
    let input = Input::read(&file).unwrap();
    assert!(input.bytes().len() <= (1 << 20) + 1);
    assert_eq!(Policy::parse(input.bytes()).unwrap_err().0.len(), 1);
}

#[test]
fn a_good_policy_is_called_so_and_what_has_no_effect_is_noted() {
    let document = policy_desk::check("{\n  \"acls\": [],\n  \"derpMap\": {},\n}").unwrap();
    let words = look::checked("p.hujson", &document);
    assert!(words.starts_with("note: p.hujson:3:"), "{words}");
    assert!(words.ends_with("p.hujson is a good policy (0 rules)."), "{words}");
}

#[test]
fn a_policy_is_laid_out_in_place_or_only_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.hujson");
    std::fs::write(&file, "{\"acls\":[]}").unwrap();
    let told = look::format(PEOPLE, &file, true, false).unwrap_err();
    assert_eq!(super::super::exit_code(&told), 1);
    look::format(PEOPLE, &file, false, true).unwrap();
    assert_ne!(std::fs::read_to_string(&file).unwrap(), "{\"acls\":[]}");
    look::format(PEOPLE, &file, true, false).unwrap();
    assert!(look::format(PEOPLE, std::path::Path::new("-"), false, true).unwrap_err().to_string().contains("--write"));
}

fn parties(name: &str) -> PartiesDocument {
    PartiesDocument { names: vec![name.to_owned()], count: 1 }
}

#[test]
fn a_difference_reads_as_sentences() {
    let gain =
        |gains: bool, sentence: &str| GainDocument { gains, sentence: sentence.to_owned(), ..GainDocument::default() };
    let difference = DifferenceDocument {
        against: 7,
        gains: vec![gain(true, "alice gains tag:server on tcp 22"), gain(false, "bob loses\x1b[31m printer")],
        also: vec!["the SSH rules change on db".to_owned()],
        more: 3,
        locks_out: true,
        ..DifferenceDocument::default()
    };
    let words = change::sentences(&difference);
    assert_eq!(
        words,
        "Compared with revision 7:\n  + alice gains tag:server on tcp 22\n  - bob loses\u{fffd}[31m printer\n  \
         * the SSH rules change on db\n  ... and 3 more\nNo administrator could reach anything any more: all their devices \
         would be locked out.\n"
    );
    let same = change::sentences(&DifferenceDocument { same_text: true, ..DifferenceDocument::default() });
    assert!(same.contains("no policy") && same.contains("the text is the same"), "{same}");
}

#[test]
fn an_explanation_names_rules_with_their_lines() {
    let reason = |words: &str| ReasonDocument {
        rule: RuleDocument { name: "acls[3]".to_owned(), line: Some(12) },
        words: words.to_owned(),
    };
    let answer = ExplainDocument {
        sentence: "laptop (alice) may reach db (tag:db) on tcp 22".to_owned(),
        rules: vec![reason("allows alice@ to tag:db")],
        ..ExplainDocument::default()
    };
    assert_eq!(
        ask::explained(&answer),
        "laptop (alice) may reach db (tag:db) on tcp 22.\nAllowed by:\n  acls[3], line 12: allows alice@ to tag:db\n"
    );
    let answer = ExplainDocument { rules: Vec::new(), missed: vec![reason("is for bob@")], ..answer };
    assert!(ask::explained(&answer).contains("These come close:\n  acls[3], line 12: is for bob@\n"));
}

#[test]
fn history_and_matrix_are_tables() {
    let revision = RevisionDocument {
        number: 2,
        at: "2026-01-01T00:00:00Z".to_owned(),
        author: "alice".to_owned(),
        note: "ticket 12".to_owned(),
        size: 17,
        current: true,
    };
    let listed = look::listed(&[revision]);
    assert!(listed.lines().nth(1).is_some_and(|row| row.contains("2 *") && row.ends_with("ticket 12")), "{listed}");
    assert!(look::listed(&[]).contains("everybody"));
    let cell = CellDocument {
        who: parties("alice"),
        whom: parties("tag:db"),
        own: false,
        access: "tcp 22".to_owned(),
        rules: vec![RuleDocument { name: "acls[0]".to_owned(), line: Some(5) }],
    };
    let matrix = MatrixDocument { revision: 1, cells: vec![cell], more: 2 };
    let listed = ask::listed(&matrix);
    assert!(
        listed.contains("alice") && listed.contains("acls[0], line 5") && listed.contains("2 more rows"),
        "{listed}"
    );
}
