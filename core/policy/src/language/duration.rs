//! Spans of time as Go writes them (`time.ParseDuration`, `Duration.String`): `12h`, `1h30m`, `-1m0s`.

use std::fmt::Write;

use super::finding::Wrong;
use super::quote::quote;

/// Nanoseconds of a second.
pub(super) const SECOND: i64 = 1_000_000_000;
const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
];

/// Nanoseconds of a text such as `1h30m`.
pub(super) fn parse(text: &str) -> Result<i64, Wrong> {
    let invalid = || Wrong::new(format!("time: invalid duration {}", quote(text))).hint("such as 12h, 30m or 1h30m");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits_end = rest.find(|letter: char| letter != '.' && !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) =
            rest.split_at_checked(digits_end).filter(|(number, _)| !number.is_empty()).ok_or_else(invalid)?;
        let unit_end = after.find(|letter: char| letter == '.' || letter.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_end).ok_or_else(invalid)?;
        if unit.is_empty() {
            return Err(Wrong::new(format!("time: missing unit in duration {}", quote(text)))
                .hint("h, m or s stands after the number"));
        }
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| {
            Wrong::new(format!("time: unknown unit {} in duration {}", quote(unit), quote(text)))
                .hint("the units are h, m, s, ms, us and ns: a week is 168h")
        })?;
        let part = scaled(number, *scale).ok_or_else(invalid)?;
        total = total.checked_add(part).ok_or_else(invalid)?;
        rest = after;
    }
    Ok(if negative { -total } else { total })
}

/// A number with a fraction, in nanoseconds.
fn scaled(number: &str, scale: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let mut total = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()?.checked_mul(scale)? };
    let mut place = scale;
    for digit in fraction.bytes() {
        place /= 10;
        total = total.checked_add(place * i64::from(digit - b'0'))?;
    }
    Some(total)
}

/// The text that Go prints.
pub(super) fn show(nanoseconds: i64) -> String {
    let mut out = String::new();
    if nanoseconds < 0 {
        out.push('-');
    }
    let size = nanoseconds.unsigned_abs();
    let second = SECOND.unsigned_abs();
    if size < second {
        let (unit, scale) = match size {
            0 => return "0s".into(),
            1..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        _ = write!(out, "{}{}{unit}", size / scale, decimals(size % scale, scale));
        return out;
    }
    let (hours, minutes) = (size / (3_600 * second), size / (60 * second) % 60);
    if hours > 0 {
        _ = write!(out, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        _ = write!(out, "{minutes}m");
    }
    _ = write!(out, "{}{}s", size / second % 60, decimals(size % second, second));
    out
}

/// The part of one after the point, without zeros at its end.
fn decimals(part: u64, one: u64) -> String {
    if part == 0 {
        return String::new();
    }
    let width = one.ilog10() as usize;
    format!(".{part:0width$}").trim_end_matches('0').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_go_prints_them() {
        for (text, shown) in [
            ("-1m", "-1m0s"),
            ("168h0m1s", "168h0m1s"),
            ("0s", "0s"),
            ("0", "0s"),
            ("90s", "1m30s"),
            ("1.5h", "1h30m0s"),
            ("1500ms", "1.5s"),
            ("1.5ms", "1.5ms"),
            ("250us", "250µs"),
            ("7ns", "7ns"),
            ("+1h1ns", "1h0m0.000000001s"),
        ] {
            assert_eq!(parse(text).map(show), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_in_the_words_of_go() {
        for (text, message) in [
            ("", "time: invalid duration \"\""),
            ("h", "time: invalid duration \"h\""),
            ("always!", "time: invalid duration \"always!\""),
            ("12", "time: missing unit in duration \"12\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            ("1..2h", "time: invalid duration \"1..2h\""),
            ("99999999999h", "time: invalid duration \"99999999999h\""),
        ] {
            assert_eq!(parse(text).map_err(|wrong| wrong.message), Err(message.to_owned()));
        }
    }
}
