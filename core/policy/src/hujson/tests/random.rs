//! Properties over random values, random trivia between their tokens, and random bytes.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::hujson::{Kind, Member, Span, Value, format, parse};

/// What may stand between two tokens.
const TRIVIA: [&str; 16] = [
    "",
    "",
    " ",
    "\t",
    "\n",
    "\n\n\n",
    "\r\n",
    "/**/",
    "/* \" */",
    " /* b */ ",
    "// c\n",
    "\n// \"d\"  \r\n",
    "/* e\n  f */",
    "\n   /*\n    * g\n\n    */",
    "/*\n h\n*/ /* i\n\t * j\n\t*/",
    "\n\n/* k */\n",
];

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Kind::Null),
        any::<bool>().prop_map(Kind::Bool),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?".prop_map(Kind::Number),
        any::<String>().prop_map(Kind::String),
        "[a-z:*]{0,60}".prop_map(Kind::String),
    ];
    let kinds = leaf.prop_recursive(5, 60, 8, |inner| {
        let value = inner.prop_map(|kind| Value { span: Span::default(), kind }).boxed();
        let members = btree_map("\\PC{0,9}", value.clone(), 0..6).prop_map(|members| {
            let member = |(name, value)| Member { name, name_span: Span::default(), value };
            Kind::Object(members.into_iter().map(member).collect())
        });
        prop_oneof![vec(value, 0..6).prop_map(Kind::Array), members]
    });
    kinds.prop_map(|kind| Value { span: Span::default(), kind })
}

/// The same value without places.
fn placeless(value: Value) -> Value {
    let kind = match value.kind {
        Kind::Array(elements) => Kind::Array(elements.into_iter().map(placeless).collect()),
        Kind::Object(members) => Kind::Object(
            members
                .into_iter()
                .map(|member| Member { name_span: Span::default(), value: placeless(member.value), ..member })
                .collect(),
        ),
        leaf => leaf,
    };
    Value { span: Span::default(), kind }
}

fn meaning(text: &str) -> Value {
    placeless(parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error} at {}: {text:?}", error.offset)))
}

/// The value's tokens with trivia between them, chosen by `choices`; now and then a trailing comma.
fn decorated(value: &Value, choices: &[u8]) -> String {
    let mut choices = choices.iter().cycle().copied().map(usize::from);
    let mut trivia = || TRIVIA[choices.next().unwrap_or(0) % TRIVIA.len()];
    let mut out = String::from(trivia());
    let (mut in_string, mut escaped, mut last) = (false, false, ' ');
    for character in value.to_json().chars() {
        if in_string || !"[]{},:".contains(character) {
            out.push(character);
        } else {
            if "]}".contains(character) && !"[{".contains(last) && out.len() % 3 == 0 {
                out.extend([trivia(), ","]);
            }
            out.push_str(trivia());
            out.push(character);
            out.push_str(trivia());
        }
        in_string ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        last = character;
    }
    out + trivia()
}

/// All comments without their white space, in an order of their own.
fn comments(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.find(['"', '/']) {
        rest = &rest[next..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(inside) = rest.strip_prefix("/*") {
            inside.find("*/").unwrap() + 4
        } else {
            let mut escaped = true;
            let end = rest.find(|c| {
                let quote = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                quote
            });
            rest = &rest[end.unwrap() + 1..];
            continue;
        };
        found.push(rest[..length].split_whitespace().collect());
        rest = &rest[length..];
    }
    found.sort();
    found
}

proptest! {
    #[test]
    fn json_reads_back_as_the_same_value(value in values()) {
        prop_assert_eq!(meaning(&value.to_json()), value);
    }

    #[test]
    fn trivia_and_layout_change_no_meaning(value in values(), choices in vec(any::<u8>(), 1..40)) {
        let text = decorated(&value, &choices);
        prop_assert_eq!(&meaning(&text), &value);
        let once = format(text.as_bytes()).unwrap();
        prop_assert_eq!(&meaning(&once), &value);
        prop_assert_eq!(comments(&once), comments(&text));
        prop_assert_eq!(format(once.as_bytes()).unwrap(), once);
    }

    #[test]
    fn truncated_and_damaged_texts_fail_cleanly(value in values(), choices in vec(any::<u8>(), 1..40), cut: prop::sample::Index, byte: u8) {
        let text = decorated(&value, &choices).into_bytes();
        let end = parse(&text).unwrap().span.end as usize;
        let cut = cut.index(end);
        if matches!(value.kind, Kind::Array(_) | Kind::Object(_) | Kind::String(_)) {
            let error = parse(&text[..cut]).unwrap_err();
            prop_assert!(error.offset <= cut);
        }
        let mut damaged = text;
        damaged[cut] = byte;
        prop_assert_eq!(parse(&damaged).is_ok(), format(&damaged).is_ok());
    }

    #[test]
    fn random_bytes_fail_cleanly(bytes in vec(prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:/*\\ \n0-.eu"[..])], 0..60)) {
        if let Err(error) = parse(&bytes) {
            prop_assert!(error.offset <= bytes.len());
            prop_assert!(!error.message.ends_with('.') && !error.message.contains('\n'));
        }
        prop_assert_eq!(parse(&bytes).is_ok(), format(&bytes).is_ok());
    }
}
