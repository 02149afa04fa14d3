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
    let mut stream = UnixStream::connect(socket).with_context(|| format!("no daemon at {}", socket.display()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // In HTTP/1.0 the answer ends with the connection and is not cut into chunks.
    write!(
        stream,
        "GET /localapi/v0/status HTTP/1.0\r\nHost: local-tailscaled.sock\r\nSec-Tailscale: localapi\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(STATUS_BYTES_MAX).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").context("the daemon answers something that is not HTTP")?;
    ensure!(head.contains(" 200 "), "the daemon refuses to say its status: {}", head.lines().next().unwrap_or(""));
    serde_json::from_str(body).context("the daemon's status is no JSON")
}
