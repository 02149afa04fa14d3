//! Times as people write them: `30m`, `12h`, `180d`, `never`.

use std::str::FromStr;
use std::time::Duration;

/// How long something lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// For this long.
    For(Duration),
    /// Without end.
    Forever,
}

impl Lifetime {
    /// `None` is without end.
    pub(crate) fn limit(self) -> Option<Duration> {
        match self {
            Self::For(time) => Some(time),
            Self::Forever => None,
        }
    }
}

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Forever);
        }
        let wrong = || format!("{text:?} is no time: write a number with s, m, h or d, such as \"90d\", or \"never\"");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
        let seconds = number.checked_mul(seconds).filter(|seconds| (1..=TEN_YEARS).contains(seconds));
        seconds
            .map(|seconds| Self::For(Duration::from_secs(seconds)))
            .ok_or_else(|| format!("{text:?} is out of range: from one second to ten years, or \"never\""))
    }
}

/// Longer than anything keeps running; keeps sums of times far from overflow.
const TEN_YEARS: u64 = 3660 * 86_400;

impl<'de> serde::Deserialize<'de> for Lifetime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!("90d".parse(), Ok(Lifetime::For(Duration::from_secs(90 * 86_400))));
        assert_eq!("1s".parse(), Ok(Lifetime::For(Duration::from_secs(1))));
        assert_eq!("never".parse(), Ok(Lifetime::Forever));
        for wrong in ["", "d", "90", "-1d", "1 d", "0m", "99999999999999999d", "9999d", "1é"] {
            assert!(wrong.parse::<Lifetime>().is_err(), "{wrong}");
        }
    }
}
