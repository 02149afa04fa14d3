//! What a node says of itself, asked at its socket: the same question to ours and to the official daemon.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::limits::STATUS_BYTES_MAX;

const PATIENCE: Duration = Duration::from_secs(5);

/// The status of a node, with its peers.
pub(crate) fn status(socket: &Path) -> anyhow::Result<Value> {
    ask(socket, "GET", "status", "")
}

/// Changes preferences: a masked piece of them, as LocalAPI takes it.
pub(crate) fn edit_preferences(socket: &Path, masked: &Value) -> anyhow::Result<Value> {
    ask(socket, "PATCH", "prefs", &masked.to_string())
}

fn ask(socket: &Path, method: &str, what: &str, body: &str) -> anyhow::Result<Value> {
    let mut stream = UnixStream::connect(socket).with_context(|| format!("no daemon at {}", socket.display()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // In HTTP/1.0 the answer ends with the connection and is not cut into chunks.
    let length = body.len();
    write!(
        stream,
        "{method} /localapi/v0/{what} HTTP/1.0\r\nHost: local-tailscaled.sock\r\nSec-Tailscale: localapi\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    stream.take(STATUS_BYTES_MAX).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").context("the daemon answers something that is not HTTP")?;
    ensure!(head.contains(" 200 "), "the daemon refuses {method} {what}: {body}");
    serde_json::from_str(body).context("the daemon answers no JSON")
}
