//! Lists for people: columns that line up, times that need no calendar.

use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use wattle_time::UnixTime;

use crate::event_loop::now;

/// Rows under a head, or a sentence when there are none.
pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    none: &str,
) -> String {
    let mut table = Table::new();
    // Cut to nothing: a line a row, whatever the width, so that grep and cut work.
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    let mut empty = true;
    for row in rows {
        empty = false;
        table.add_row(row.map(|cell| printable(&cell)));
    }
    if empty { none.to_owned() } else { table.trim_fmt() }
}

/// Machines choose some of these texts: none of them may steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// A time as the server tells it, seen from now: `3 minutes ago`, `in 12 days`.
pub(super) fn when(time: Option<&str>, none: &str) -> String {
    let Some(text) = time else { return none.to_owned() };
    text.parse().map_or_else(|_| text.to_owned(), |time| from(now().wall, time))
}

fn from(now: UnixTime, time: UnixTime) -> String {
    match time > now {
        true => format!("in {}", rounded(time.since(now))),
        false => match now.since(time) {
            gap if gap < Duration::from_secs(10) => "just now".to_owned(),
            gap => format!("{} ago", rounded(gap)),
        },
    }
}

fn rounded(gap: Duration) -> String {
    let seconds = gap.as_secs();
    let (length, unit) = match seconds {
        0..120 => (1, "second"),
        120..7_200 => (60, "minute"),
        7_200..172_800 => (3_600, "hour"),
        _ => (86_400, "day"),
    };
    // To the nearest, so that a key of 90 days is not shown as one of 89.
    let number = (seconds + length / 2) / length;
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_now() {
        let now = UnixTime::from_secs(1_000_000);
        let ago = |seconds| from(now, now.minus(Duration::from_secs(seconds)));
        assert_eq!(
            (ago(3), ago(11), ago(600)),
            ("just now".to_owned(), "11 seconds ago".to_owned(), "10 minutes ago".to_owned())
        );
        assert_eq!(from(now, now.plus(Duration::from_secs(180 * 86_400 - 1))), "in 180 days");
    }

    #[test]
    fn a_host_name_cannot_steer_the_terminal() {
        let text = table(["A", "B"], [["\u{1b}[2Jx".to_owned(), "y".to_owned()]], "none");
        assert!(!text.contains('\u{1b}') && text.contains('x'), "{text:?}");
        assert_eq!(table::<1>(["A"], [], "none"), "none");
    }
}
