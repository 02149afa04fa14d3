//! Strings, numbers and words: the parts of a text that hold no other parts.

use super::{Kind, SyntaxError};

/// Characters of the text that a message quotes at most.
const SHOWN_CHARACTERS_MAX: usize = 40;

/// A piece of the text as it may stand in a message: short, and without control characters.
pub(super) fn shown(piece: &str) -> String {
    let mut out = String::new();
    for (count, character) in piece.chars().enumerate() {
        match character {
            _ if count == SHOWN_CHARACTERS_MAX => return out + "…",
            '"' | '\'' => out.push(character),
            _ => out.extend(character.escape_debug()),
        }
    }
    out
}

/// The run of letters, digits and signs that begins `rest`: what people take for one word.
pub(super) fn word(rest: &str) -> &str {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.');
    rest.get(..rest.find(|c| !is_part(c)).unwrap_or(rest.len())).unwrap_or_default()
}

/// A number or one of the three words of JSON; `at` is where it stands.
pub(super) fn bare(word: &str, at: usize) -> Result<Kind, SyntaxError> {
    match word {
        "null" => Ok(Kind::Null),
        "true" => Ok(Kind::Bool(true)),
        "false" => Ok(Kind::Bool(false)),
        _ if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) => number(word, at),
        _ => {
            let lower = word.to_ascii_lowercase();
            let quoted = shown(word);
            Err(SyntaxError::new(
                at,
                if matches!(lower.as_str(), "null" | "true" | "false") {
                    format!("`{quoted}` is written in lower case: {lower}")
                } else {
                    format!("expected a value, found `{quoted}`; a text must stand in double quotes: \"{quoted}\"")
                },
            ))
        }
    }
}

fn number(word: &str, at: usize) -> Result<Kind, SyntaxError> {
    if is_number(word) {
        return Ok(Kind::Number(word.to_owned()));
    }
    let unsigned = word.trim_start_matches('-');
    let why = if word.starts_with('+') {
        "a number has no plus sign before it"
    } else if unsigned.starts_with("0x") || unsigned.starts_with("0X") {
        "numbers are written in decimal"
    } else if unsigned.starts_with('0') && unsigned.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
        "a number has no leading zeros"
    } else if unsigned.starts_with('.') || unsigned.ends_with('.') {
        "a decimal point has digits on both sides"
    } else {
        "a text must stand in double quotes"
    };
    Err(SyntaxError::new(at, format!("`{}` is not a number: {why}", shown(word))))
}

/// RFC 8259, section 6.
fn is_number(word: &str) -> bool {
    let digits = |rest: &str| rest.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = word.strip_prefix('-').unwrap_or(word);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with('0')) {
        return false;
    }
    rest = rest.get(whole..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = fraction.get(length..).unwrap_or_default();
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let length = digits(exponent);
        return length > 0 && length == exponent.len();
    }
    rest.is_empty()
}

/// The string whose opening quote is at `start`: what it says, and the byte after its closing quote.
pub(super) fn string(text: &str, start: usize) -> Result<(String, usize), SyntaxError> {
    let unclosed = |before: &str| SyntaxError::new(start, format!("this text has no closing quote before {before}"));
    let mut out = String::new();
    let mut at = start + 1;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let plain = rest.find(|c| matches!(c, '"' | '\\' | '\0'..='\u{1f}')).unwrap_or(rest.len());
        out.push_str(rest.get(..plain).unwrap_or_default());
        at += plain;
        match rest.as_bytes().get(plain) {
            None => return Err(unclosed("the end of the policy")),
            Some(b'"') => return Ok((out, at + 1)),
            Some(b'\\') => at += escape(text, at, &mut out).ok_or_else(|| wrong_escape(text, at))?,
            Some(b'\n' | b'\r') => return Err(unclosed("the end of its line")),
            Some(b'\t') => return Err(SyntaxError::new(at, "a tab inside a text is written \\t")),
            Some(byte) => {
                let message = format!("a control character inside a text is written \\u{byte:04x}");
                return Err(SyntaxError::new(at, message));
            }
        }
    }
}

/// Undoes the escape at `at` and says how long it is.
fn escape(text: &str, at: usize, out: &mut String) -> Option<usize> {
    let character = match text.as_bytes().get(at + 1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = code_unit(text, at)?;
            let second = || code_unit(text, at + 6);
            if (0xd800..0xdc00).contains(&first)
                && let Some(low @ 0xdc00..0xe000) = second()
            {
                let joined = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
                out.extend(char::from_u32(joined));
                return Some(12);
            }
            // Half a pair means nothing; Go's encoding/json puts the replacement character, and so do we.
            out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Some(6);
        }
        _ => return None,
    };
    out.push(character);
    Some(2)
}

/// The number in `\u1234` at `at`.
fn code_unit(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    let all_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| all_hex)
}

fn wrong_escape(text: &str, at: usize) -> SyntaxError {
    let rest = text.get(at..).unwrap_or_default();
    let message = match rest.chars().nth(1) {
        Some('u') => "\\u needs four hexadecimal digits".to_owned(),
        Some(other) => format!(
            "\\{} means nothing in a text; a backslash itself is written \\\\",
            shown(other.encode_utf8(&mut [0; 4]))
        ),
        None => "this backslash has nothing after it".to_owned(),
    };
    SyntaxError::new(at, message)
}
