//! Receiving on both sockets from one thread.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::{ArcSwap, Cache};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use quinn_udp::UdpSockRef;

use crate::limits::ERRORS_IN_A_ROW;
use crate::socket::Socket;
use crate::sockets::{Core, Pair};
use crate::{Batch, UdpError};

/// Receives datagrams of both families. For one thread, which it blocks.
pub struct UdpReceiver {
    core: Arc<Core>,
    pair: Cache<CoreRef, Arc<Pair>>,
    /// Which socket to look at first, so that a flood on one does not silence the other.
    v6_first: bool,
}

/// The cache wants something that it can look into for the current pair.
struct CoreRef(Arc<Core>);

impl std::ops::Deref for CoreRef {
    type Target = ArcSwap<Pair>;

    fn deref(&self) -> &ArcSwap<Pair> {
        &self.0.pair
    }
}

impl UdpReceiver {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { pair: Cache::new(CoreRef(Arc::clone(&core))), core, v6_first: false }
    }

    /// Waits for at least one datagram and fills `batch` with what waits in one of the sockets. How many groups it is.
    pub fn recv(&mut self, batch: &mut Batch) -> Result<usize, UdpError> {
        let mut errors = 0;
        loop {
            if self.core.stopped.load(Ordering::Acquire) {
                return Err(UdpError::Stopped);
            }
            let pair = self.pair.load();
            self.v6_first = !self.v6_first;
            let order = if self.v6_first { [&pair.v6, &pair.v4] } else { [&pair.v4, &pair.v6] };
            let mut empty = true;
            for socket in order.into_iter().flatten() {
                match receive(socket, batch) {
                    Ok(0) => {}
                    Ok(groups) => return Ok(groups),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // ICMP errors about earlier datagrams surface here; what we sent decides nothing about what comes.
                    Err(_) if errors < ERRORS_IN_A_ROW => {
                        errors += 1;
                        empty = false;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if empty {
                wait(pair)?;
            }
        }
    }
}

fn receive(socket: &Socket, batch: &mut Batch) -> io::Result<usize> {
    batch.fill(|slices, meta| socket.state.recv(UdpSockRef::from(&socket.io), slices, meta))
}

/// Until a socket has something or the pair was replaced.
fn wait(pair: &Pair) -> io::Result<()> {
    let replaced = pair.replaced.as_fd();
    // A missing family is polled as the pipe once more: three entries without a list made per wait.
    let fds = [Some(replaced), pair.v4.as_ref().map(AsFd::as_fd), pair.v6.as_ref().map(AsFd::as_fd)];
    let mut waits = fds.map(|fd| PollFd::new(fd.unwrap_or(replaced), PollFlags::POLLIN));
    match poll(&mut waits, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl std::fmt::Debug for UdpReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpReceiver").finish_non_exhaustive()
    }
}
