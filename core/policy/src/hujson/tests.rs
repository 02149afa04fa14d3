//! HuJSON as a whole: what is refused and where, and how a text is laid out. Properties over random texts: `random.rs`.

mod layout;
mod random;

use super::*;
use crate::limits;

fn kind(text: &str) -> Kind {
    parse(text.as_bytes()).unwrap().kind
}

#[track_caller]
fn refused(text: &str, offset: usize, message: &str) {
    let error = parse(text.as_bytes()).unwrap_err();
    assert_eq!((error.offset, error.to_string().as_str()), (offset, message), "{text}");
}

#[test]
fn values_know_their_places() {
    let text = "// é\n{\"a\": [1.50, null,], /* x */ \"b\": \"\"}";
    let value = parse(text.as_bytes()).unwrap();
    let at = |span: Span| &text[span.start as usize..span.end as usize];
    let Kind::Object(members) = &value.kind else { panic!("{value:?}") };
    assert_eq!(at(value.span), &text[6..]);
    assert_eq!((at(members[0].name_span), at(members[0].value.span)), ("\"a\"", "[1.50, null,]"));
    assert_eq!((at(members[1].name_span), at(members[1].value.span)), ("\"b\"", "\"\""));
    let Kind::Array(elements) = &members[0].value.kind else { panic!("{value:?}") };
    assert_eq!((at(elements[0].span), &elements[0].kind), ("1.50", &Kind::Number("1.50".into())));
    assert_eq!((at(elements[1].span), &elements[1].kind), ("null", &Kind::Null));
}

#[test]
fn escapes_are_undone_as_go_does() {
    assert_eq!(kind(r#""\"\\\/\b\f\n\r\t\u00e9""#), Kind::String("\"\\/\u{8}\u{c}\n\r\té".into()));
    assert_eq!(kind(r#""\uD83D\ude00""#), Kind::String("😀".into()));
    assert_eq!(kind(r#""\ud800""#), Kind::String("\u{fffd}".into()));
    assert_eq!(kind(r#""\ud800\u0041""#), Kind::String("\u{fffd}A".into()));
    assert_eq!(kind(r#""\udc00\ud800\udc00""#), Kind::String("\u{fffd}\u{10000}".into()));
    assert_eq!(kind("\"\u{7f}\""), Kind::String("\u{7f}".into()));
}

#[test]
fn numbers_are_those_of_json() {
    for number in ["0", "-0", "10", "0.5", "1e5", "1E+05", "-12.340e-2", "123456789012345678901234567890"] {
        assert_eq!(kind(number), Kind::Number(number.into()));
    }
    refused("+1", 0, "`+1` is not a number: a number has no plus sign before it");
    refused("[0x1f]", 1, "`0x1f` is not a number: numbers are written in decimal");
    refused("007", 0, "`007` is not a number: a number has no leading zeros");
    refused(".5", 0, "`.5` is not a number: a decimal point has digits on both sides");
    refused("-1.", 0, "`-1.` is not a number: a decimal point has digits on both sides");
    for wrong in ["-", "1e", "1e+", "1.e5", "1.2.3", "1-2", "100.64.0.1", "1é", "--1"] {
        assert_eq!(parse(wrong.as_bytes()).unwrap_err().offset, 0, "{wrong}");
    }
}

#[test]
fn strings_stand_in_double_quotes() {
    refused("{\"a\": 'b'}", 6, "a text must stand in double quotes");
    refused("[“b”]", 1, "a text must stand in straight double quotes: \"");
    refused("{'a': 1}", 1, "a name must stand in straight double quotes: \"");
    refused("{a: 1}", 1, "a name must stand in double quotes: \"a\"");
    refused("{\"a\": accept}", 6, "expected a value, found `accept`; a text must stand in double quotes: \"accept\"");
    refused("[True]", 1, "`True` is written in lower case: true");
    refused("[nulll]", 1, "expected a value, found `nulll`; a text must stand in double quotes: \"nulll\"");
}

#[test]
fn strings_end_on_their_line_and_hold_no_control_characters() {
    refused("[\"a\n\"]", 1, "this text has no closing quote before the end of its line");
    refused("[\"a", 1, "this text has no closing quote before the end of the policy");
    refused("[\"a\\\"", 1, "this text has no closing quote before the end of the policy");
    refused("\"a\tb\"", 2, "a tab inside a text is written \\t");
    refused("\"a\u{1}\"", 2, "a control character inside a text is written \\u0001");
    refused("\"a\\x41\"", 2, "\\x means nothing in a text; a backslash itself is written \\\\");
    refused("\"a\\u12g4\"", 2, "\\u needs four hexadecimal digits");
    refused("\"a\\u+123\"", 2, "\\u needs four hexadecimal digits");
    refused("\"\\", 1, "this backslash has nothing after it");
}

#[test]
fn missing_separators_are_missed_behind_what_they_follow() {
    refused("[1\n 2]", 2, "expected a comma or ] after this element");
    refused("{\"a\": 1\n\"b\": 2}", 7, "expected a comma or } after this value");
    refused("[1; 2]", 2, "expected a comma or ] after this element, found `;`");
    refused("{\"a\" 1}", 4, "expected a colon after this name, found `1`");
    refused("{\"a\" = 1}", 5, "expected a colon after this name, found `=`");
    refused("{\"a\"}", 4, "expected a colon after this name, found `}`");
    refused("{\"a\", 1}", 4, "expected a colon after this name, found `,`");
}

#[test]
fn superfluous_separators_are_refused() {
    refused("[,]", 1, "expected a value before this ,");
    refused("[1,,]", 3, "expected a value before this ,");
    refused("{,}", 1, "expected a name before this ,");
    refused("{\"a\": 1,,}", 8, "expected a name before this ,");
    refused("{\"a\":: 1}", 5, "expected a value before this :");
    refused("{\"a\": }", 6, "expected a value before this }");
    refused("{\"a\": ,}", 6, "expected a value before this ,");
}

#[test]
fn brackets_pair() {
    refused("{\n\"a\": [1, 2\n}", 13, "expected ] to close the list of line 2, found `}`");
    refused("[}", 1, "expected ] to close the list of line 1, found `}`");
    refused("{\"a\": 1]", 7, "expected } to close the object of line 1, found `]`");
    refused("{\"a\": [1, ", 6, "this list has no closing ]");
    refused("{\"a\": 1", 0, "this object has no closing }");
    refused("{", 0, "this object has no closing }");
    refused("{\"a\"", 4, "expected a colon after this name, found the end of the policy");
    refused("{\"a\":", 5, "expected a value, found the end of the policy");
}

#[test]
fn nothing_follows_the_value() {
    refused("{} {}", 3, "expected the end of the policy, found `{`");
    refused("{}}", 2, "this } closes nothing");
    refused("{},", 2, "expected the end of the policy, found `,`");
    refused("1 \"a\"", 2, "expected the end of the policy, found a text");
}

#[test]
fn names_stand_once() {
    refused("{\"a\": 1,\n\"b\": 2, \"a\": 3, \"b\": 4}", 17, "\"a\" stands here a second time; the first is on line 1");
    refused("{\"é\": 1, \"\\u00e9\": 3}", 10, "\"é\" stands here a second time; the first is on line 1");
    assert!(parse(b"{\"a\": {\"a\": 1}, \"A\": 1}").is_ok());
}

#[test]
fn comments_are_of_two_kinds_and_closed() {
    for text in ["// a\n1", "1// a", "/**/1/***/", "[/* } */1// ]\n,/* , */]", "1 //"] {
        assert!(parse(text.as_bytes()).is_ok(), "{text}");
    }
    refused("1 /* a", 2, "this comment has no closing */");
    refused("[/*/", 1, "this comment has no closing */");
    refused("{# a\n}", 1, "a comment begins with // or /*");
    refused("[# a\n]", 1, "a comment begins with // or /*");
    refused("[1 / 2]", 3, "expected a comma or ] after this element, found `/`");
}

#[test]
fn an_empty_text_is_no_policy() {
    refused("", 0, "the policy is empty");
    refused(" \n // nothing\n/* more */", 0, "the policy is empty");
}

#[test]
fn bytes_must_be_utf8_without_a_mark() {
    let error = parse(b"{\"\xff\": 1}").unwrap_err();
    assert_eq!((error.offset, error.message.as_str()), (2, "the byte 0xff is not UTF-8; save the policy as UTF-8"));
    refused("\u{feff}{}", 0, "a byte order mark (U+FEFF) stands here; save the policy without it");
    refused("{\u{a0}}", 1, "expected a name in double quotes or }, found U+00A0");
}

#[test]
fn size_is_bounded() {
    let text = " ".repeat(limits::TEXT_BYTES_MAX - 2) + "{}";
    assert!(parse(text.as_bytes()).is_ok());
    let error = parse(format!(" {text}").as_bytes()).unwrap_err();
    assert!(error.message.starts_with("the policy is longer than"), "{error}");
    assert!(format("[".repeat(10 << 20).as_bytes()).is_err());
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(nested(limits::DEPTH_MAX).as_bytes()).is_ok());
    refused(
        &nested(limits::DEPTH_MAX + 1),
        limits::DEPTH_MAX,
        "lists and objects stand more than 64 deep in one another",
    );
    assert_eq!(parse("{\"a\":".repeat(10_000).as_bytes()).unwrap_err().offset, 5 * limits::DEPTH_MAX);
}

#[test]
fn many_names_and_long_pieces_take_no_time() {
    let mut text = String::from("{");
    for index in 0..60_000 {
        text.push_str(&format!("\"{index}\":0,"));
    }
    text.push_str("\"0\":1}");
    let error = parse(text.as_bytes()).unwrap_err();
    assert_eq!(error.message, "\"0\" stands here a second time; the first is on line 1");
    let long = "x".repeat(100_000);
    assert!(parse(long.as_bytes()).unwrap_err().message.len() < 200);
    assert!(parse(format!("{{\"{long}\": 1, \"{long}\": 2}}").as_bytes()).unwrap_err().message.len() < 200);
}

#[test]
fn json_is_compact_and_escapes_what_must_be() {
    let text = "{\"b\": [1.50, true, false, null,], // x\n\"a\\u0000\\u001f\": \"\\u2028\\/\\\"\\\\\\b\\f\\n\\r\\té\", \"c\": {},}";
    let json = "{\"b\":[1.50,true,false,null],\"a\\u0000\\u001f\":\"\u{2028}/\\\"\\\\\\b\\f\\n\\r\\té\",\"c\":{}}";
    assert_eq!(parse(text.as_bytes()).unwrap().to_json(), json);
}

#[test]
fn columns_count_characters() {
    let text = "a\né\tx\r\n".as_bytes();
    assert_eq!(position(text, 0), Position { line: 1, column: 1 });
    assert_eq!(position(text, 1), Position { line: 1, column: 2 });
    assert_eq!(position(text, 2), Position { line: 2, column: 1 });
    assert_eq!(position(text, 5), Position { line: 2, column: 3 });
    assert_eq!(position(text, 99), Position { line: 3, column: 1 });
}
