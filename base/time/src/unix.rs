//! Wall-clock time, and its RFC 3339 text as Go writes it. Not for measuring how long something took.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400;
/// Seconds from year 1 (Go's zero `time.Time`) to 1970.
const GO_ZERO_SECS: i64 = -62_135_596_800;
/// The last second of year 9999, the end of RFC 3339.
const LAST_SECS: i64 = 253_402_300_799;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

/// A text that is not an RFC 3339 time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseTimeError;

impl UnixTime {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// 0001-01-01T00:00:00Z: what a Go peer writes for "no time".
    pub const GO_ZERO: Self = Self(GO_ZERO_SECS * MICROS);

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(MICROS))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// Whether this is Go's zero time.
    pub const fn is_go_zero(self) -> bool {
        self.0 == Self::GO_ZERO.0
    }

    /// This much later.
    pub fn plus(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This much earlier.
    pub fn minus(self, back: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(back.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        let gap = self.0.saturating_sub(earlier.0);
        if gap > 0 { Duration::from_micros(gap as u64) } else { Duration::ZERO }
    }
}

/// Civil date from days since the epoch (proleptic Gregorian calendar; H. Hinnant's era arithmetic).
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Days since the epoch from a civil date; the inverse of [`civil`].
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_index = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

const fn month_length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Outside years 1 to 9999 there is no RFC 3339 text: the nearest end is written.
        let micros = self.0.clamp(GO_ZERO_SECS * MICROS, LAST_SECS * MICROS + (MICROS - 1));
        let secs = micros.div_euclid(MICROS);
        let (year, month, day) = civil(secs.div_euclid(DAY));
        let second_of_day = secs.rem_euclid(DAY);
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        let fraction = micros.rem_euclid(MICROS);
        if fraction != 0 {
            let digits = format!("{fraction:06}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl FromStr for UnixTime {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        parse(text.as_bytes()).ok_or(ParseTimeError)
    }
}

fn number(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

fn parse(text: &[u8]) -> Option<UnixTime> {
    if text.len() > 64 {
        return None;
    }
    let (head, rest) = text.split_at_checked(19)?;
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| head[at] != byte) || !matches!(head[10], b'T' | b't') {
        return None;
    }
    let part = |from: usize, to: usize| number(&head[from..to]);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let in_range = (1..=12).contains(&month)
        && (1..=month_length(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix(b".") {
        Some(after) => {
            let length = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 {
                return None;
            }
            let kept = &after[..length.min(6)];
            (number(kept)? * 10i64.pow(6 - kept.len() as u32), &after[length..])
        }
        None => (0, rest),
    };
    let offset = match zone {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let secs = hours * 3600 + minutes * 60;
            if *sign == b'-' { -secs } else { secs }
        }
        _ => return None,
    };
    let secs = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    Some(UnixTime(secs * MICROS + fraction))
}

impl fmt::Display for ParseTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an RFC 3339 time such as 2026-01-31T23:59:59Z")
    }
}

impl std::error::Error for ParseTimeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments_have_their_text() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (GO_ZERO_SECS, "0001-01-01T00:00:00Z"),
            (LAST_SECS, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(UnixTime::from_secs(secs).to_string(), text);
            assert_eq!(text.parse(), Ok(UnixTime::from_secs(secs)));
        }
    }

    #[test]
    fn offsets_and_nanoseconds_are_read() {
        let time: UnixTime = "2026-11-24T18:30:00.123456789+02:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-24T16:30:00.123456Z");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "2026", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00"]
        {
            assert_eq!(text.parse::<UnixTime>(), Err(ParseTimeError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(micros in GO_ZERO_SECS * MICROS..LAST_SECS * MICROS) {
            let time = UnixTime::from_micros(micros);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn any_text_is_handled(text in ".{0,80}") {
            let _ignored: Result<UnixTime, _> = text.parse();
        }
    }
}
