//! A line at the end of the terminal that turns while something is waited for. Pipes and files never see it.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::time::sleep;

const TURN: Duration = Duration::from_millis(100);
const FACES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// The line. It is wiped when this is dropped.
#[derive(Debug)]
pub(super) struct Spinner {
    is_seen: bool,
    turns: usize,
}

impl Spinner {
    /// One that is drawn if a person looks, and `wanted`.
    pub(super) fn new(wanted: bool) -> Self {
        Self { is_seen: wanted && io::stderr().is_terminal(), turns: 0 }
    }

    /// Turns for ever. Cancel-safe.
    pub(super) async fn turn(&mut self, waits_for: &str) {
        loop {
            if self.is_seen {
                draw(&line(self.turns, waits_for));
                self.turns = self.turns.wrapping_add(1);
            }
            sleep(TURN).await;
        }
    }

    /// Makes room for other words.
    pub(super) fn wipe(&self) {
        if self.is_seen {
            draw("\r\x1b[K");
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.wipe();
    }
}

fn line(turns: usize, waits_for: &str) -> String {
    let face = FACES.iter().cycle().nth(turns % FACES.len()).unwrap_or(&' ');
    format!("\r\x1b[K{face} {waits_for}")
}

fn draw(text: &str) {
    let mut err = io::stderr().lock();
    // A terminal that went away needs no picture.
    let _gone = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_turns_and_says_what_it_waits_for() {
        assert_eq!(line(0, "connecting"), "\r\x1b[K⠋ connecting");
        assert_ne!(line(1, "connecting"), line(2, "connecting"));
        assert_eq!(line(FACES.len(), "x"), line(0, "x"));
    }
}
