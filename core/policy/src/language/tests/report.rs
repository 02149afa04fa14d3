//! How problems are shown.

use super::super::read;

const POLICY: &str = r#"{
    "tagOwners": {"tag:server": ["alice@example.com"]},
    "acls": [
        {"action": "deny", "src": ["tag:sevrer"], "dst": ["*:80"]},
    ],
}"#;

#[test]
fn problem_has_line_column_excerpt_message_and_hint() {
    let problems = read(POLICY.as_bytes()).unwrap_err().0;
    let [first, second] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert_eq!((first.line, first.column), (4, 20));
    assert_eq!(first.message, "action=\"deny\" is not supported");
    assert_eq!(first.excerpt, r#"        {"action": "deny", "src": ["tag:sevrer"], "dst": ["*:80"]},"#);
    assert_eq!((second.line, second.column), (4, 36));
    assert_eq!(second.message, "src=tag not found: \"tag:sevrer\"");
    assert_eq!(second.hint.as_deref(), Some("did you mean \"tag:server\"?"));
}

#[test]
fn report_marks_the_place_below_its_line() {
    let report = read(POLICY.as_bytes()).unwrap_err().report("policy.hujson");
    let expected = r#"error: action="deny" is not supported
 --> policy.hujson:4:20
  |
4 |         {"action": "deny", "src": ["tag:sevrer"], "dst": ["*:80"]},
  |                    ^^^^^^ the only action is "accept": what no rule accepts is denied

error: src=tag not found: "tag:sevrer"
 --> policy.hujson:4:36
  |
4 |         {"action": "deny", "src": ["tag:sevrer"], "dst": ["*:80"]},
  |                                    ^^^^^^^^^^^^ did you mean "tag:server"?
"#;
    assert_eq!(report, expected);
}

#[test]
fn one_line_each_says_everything() {
    let text = read(POLICY.as_bytes()).unwrap_err().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1], "policy, line 4, column 36: src=tag not found: \"tag:sevrer\" (did you mean \"tag:server\"?)");
}

#[test]
fn syntax_error_is_a_problem_too() {
    let problems = read(b"{\n  \"acls\": [,]\n}").unwrap_err().0;
    assert_eq!((problems.len(), problems[0].line, problems[0].column), (1, 2, 12));
}

#[test]
fn long_line_is_shown_in_part_and_the_mark_still_fits() {
    let policy = format!(r#"{{"groups": {{{} "group:x": ["bob"]}}}}"#, r#""group:ü": [], "#);
    let padded = format!("{{{}{}", " ".repeat(5_000), &policy[1..]);
    let problems = read(padded.as_bytes()).unwrap_err();
    let problem = &problems.0[0];
    assert!(problem.excerpt.chars().count() <= 160, "{}", problem.excerpt.len());
    assert_eq!(problem.column, padded[..padded.find("\"bob\"").unwrap()].chars().count() + 1);
    let report = problems.report("p");
    let lines: Vec<&str> = report.lines().collect();
    let mark = lines[4].find('^').unwrap();
    let shown: String = lines[3].chars().skip(mark).take(5).collect();
    assert_eq!(shown, "\"bob\"");
}

#[test]
fn nothing_in_an_excerpt_steers_the_terminal() {
    let report = read("{\"groups\": {\"\u{9b}31m\": []}}".as_bytes()).unwrap_err().report("p");
    assert!(!report.chars().any(|letter| letter.is_control() && letter != '\n'), "{report:?}");
}

#[test]
fn reading_stops_counting_problems_when_nobody_would_read_on() {
    let policy = format!(r#"{{"grants": [{}]}}"#, r#"{"src": ["nowhere"]},"#.repeat(5_000));
    assert_eq!(read(policy.as_bytes()).unwrap_err().0.len(), crate::limits::PROBLEMS_MAX);
}

#[test]
fn message_about_a_long_name_stays_short() {
    let policy = format!(r#"{{"groups": {{"{}": []}}}}"#, "x".repeat(100_000));
    let problems = read(policy.as_bytes()).unwrap_err();
    assert!(problems.0[0].message.len() < 1_100 && problems.to_string().len() < 3_000);
}
