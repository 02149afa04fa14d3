//! Arguments as Go programs take them: `-accept-routes` means `--accept-routes`. Scripts made for the official CLI are
//! full of these.

use std::ffi::OsString;

/// The name under which the program is the daemon.
const DAEMON_NAME: &str = "wattled";

/// Spells single-dash long flags with two dashes, up to a `--`; and `wattled` as `wattle daemon`.
pub(super) fn normalise(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.peekable();
    let mut spelled = Vec::new();
    if let Some(program) = arguments.next() {
        let is_daemon = std::path::Path::new(&program).file_name().is_some_and(|name| name == DAEMON_NAME);
        spelled.push(program);
        if is_daemon && arguments.peek().is_none_or(|first| first != "daemon") {
            spelled.push("daemon".into());
        }
    }
    let mut flags_ended = false;
    spelled.extend(arguments.map(|argument| {
        flags_ended |= argument == "--";
        match argument.to_str() {
            Some(text) if !flags_ended && is_go_flag(text) => format!("-{text}").into(),
            _ => argument,
        }
    }));
    spelled
}

/// One dash and a name of several letters.
fn is_go_flag(text: &str) -> bool {
    let Some(name) = text.strip_prefix('-') else { return false };
    let name = name.split('=').next().unwrap_or_default();
    name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(line: &str) -> String {
        let words = normalise(line.split(' ').map(OsString::from));
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn single_dashes_become_double() {
        assert_eq!(
            normalised("wattle -socket /s up -accept-routes -auth-key=k --ssh=false"),
            "wattle --socket /s up --accept-routes --auth-key=k --ssh=false"
        );
    }

    #[test]
    fn short_flags_values_and_what_follows_a_double_dash_stay() {
        assert_eq!(normalised("wattle ip -4 -c 3 -c=3 - -h -- -host"), "wattle ip -4 -c 3 -c=3 - -h -- -host");
    }

    #[test]
    fn wattled_is_the_daemon() {
        assert_eq!(normalised("/usr/sbin/wattled -port 0"), "/usr/sbin/wattled daemon --port 0");
        assert_eq!(normalised("wattled daemon"), "wattled daemon");
        assert_eq!(normalised("wattle status"), "wattle status");
    }
}
