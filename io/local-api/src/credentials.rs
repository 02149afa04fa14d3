//! Who is at the other end of a unix socket.

use std::io;

use tokio::net::UnixStream;

/// What the kernel says about the process that connected. It cannot be forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Process, for logs only: it may have ended, and its number been used again.
    pub pid: Option<u32>,
}

impl PeerCredentials {
    /// Of the process that opened this connection.
    pub(crate) fn of(stream: &UnixStream) -> io::Result<Self> {
        let peer = stream.peer_cred()?;
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
        Ok(Self { uid: peer.uid(), gid: peer.gid(), pid })
    }

    /// Whether it is the system's administrator.
    pub const fn is_root(self) -> bool {
        self.uid == 0
    }
}
