//! Waiting for something that other processes bring about.

use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Looks again and again until `look` gives a value.
///
/// # Panics
/// With what `look` last complained of, when it took too long.
pub fn eventually<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(value) => return value,
            Err(why) if started.elapsed() >= patience => panic!("{what}: not within {patience:?}: {why}"),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}
