//! Any bytes as HuJSON: refused with a place and a sentence, or read, printed and laid out without a change of meaning.

use wattle_policy::hujson::{Kind, SyntaxError, Value, format, parse, position};
use wattle_policy::limits;

/// Reads, prints and lays out.
pub fn run(input: &[u8]) {
    let value = match parse(input) {
        Ok(value) => value,
        Err(error) => {
            check_error(&error, input);
            assert_eq!(format(input), Err(error), "the formatter reads otherwise than the parser");
            return;
        }
    };
    let text = std::str::from_utf8(input).expect("what was read is UTF-8");
    check_spans(&value, text);
    let json = value.to_json();
    assert!(same(&value, &reread(&json)), "printed as something else: {json}");
    match format(input) {
        Ok(once) => {
            assert!(same(&value, &reread(&once)), "laid out as something else: {once}");
            assert_eq!(comments(text), comments(&once), "comments got lost: {once}");
            assert_eq!(format(once.as_bytes()).as_ref(), Ok(&once), "laid out twice is not laid out once");
        }
        // Indentation makes a text longer, at most by a tab a byte and level.
        Err(error) => assert!(input.len() * limits::DEPTH_MAX > limits::TEXT_BYTES_MAX, "not laid out: {error}"),
    }
}

fn check_error(error: &SyntaxError, input: &[u8]) {
    assert!(error.offset <= input.len(), "{error:?} is outside of the text");
    assert!(!error.message.is_empty() && !error.message.ends_with('.'), "not a sentence: {error}");
    assert!(error.message.len() < 400 && !error.message.contains(char::is_control), "no message for people: {error}");
    let place = position(input, error.offset);
    let lines = input.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!((1..=lines).contains(&place.line) && (1..=input.len() + 1).contains(&place.column), "{place:?}");
}

fn reread(text: &str) -> Value {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error} at byte {} of our own text: {text}", error.offset))
}

/// What stands at a value's place reads as that value.
fn check_spans(value: &Value, text: &str) {
    let at = |span: wattle_policy::hujson::Span| &text[span.start as usize..span.end as usize];
    assert!(same(value, &reread(at(value.span))), "{:?} is not where {value:?} stands", value.span);
    match &value.kind {
        Kind::Array(elements) => elements.iter().for_each(|element| check_spans(element, text)),
        Kind::Object(members) => {
            for member in members {
                assert_eq!(reread(at(member.name_span)).kind, Kind::String(member.name.clone()));
                check_spans(&member.value, text);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {}
    }
}

/// Whether two values are equal, wherever they stand.
fn same(left: &Value, right: &Value) -> bool {
    match (&left.kind, &right.kind) {
        (Kind::Array(left), Kind::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Kind::Object(left), Kind::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| left.name == right.name && same(&left.value, &right.value))
        }
        (left, right) => left == right,
    }
}

/// The comments of a valid text without their white space, sorted: the layout may move one before its member's name.
fn comments(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.find(['"', '/']) {
        rest = &rest[next..];
        let (length, is_comment) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), true)
        } else if let Some(inside) = rest.strip_prefix("/*") {
            (inside.find("*/").map_or(rest.len(), |end| end + "/**/".len()), true)
        } else {
            (string_length(rest), false)
        };
        if is_comment {
            found.push(rest[..length].split_whitespace().collect());
        }
        rest = &rest[length..];
    }
    found.sort();
    found
}

/// The length of the string that begins here, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            _ => escaped = byte == b'\\' && !escaped,
        }
    }
    text.len()
}
