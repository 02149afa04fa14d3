//! Text in quotes as the hosted service prints it (Go's `%q`).

use std::fmt::Write;

/// The text between double quotes, with what cannot be seen escaped.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            character if character.is_ascii_control() => {
                _ = write!(out, "\\x{:02x}", u32::from(character));
            }
            character if character.is_control() || (character.is_whitespace() && character != ' ') => {
                _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            character => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_shows_what_cannot_be_seen() {
        assert_eq!(quote("a\"b\\c\n\u{0}\u{2028}ü"), r#""a\"b\\c\n\x00\u2028ü""#);
    }
}
