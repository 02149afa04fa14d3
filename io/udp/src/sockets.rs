//! The pair of sockets that a node speaks from, replaceable while in use.

use std::io::{self, ErrorKind, PipeReader, PipeWriter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::socket::{Family, Socket};
use crate::{UdpReceiver, UdpSender};

/// Where and how to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The port to try first; 0: any. When another program has it, any port is taken.
    pub port: u16,
    /// `SO_MARK`, by which routing rules tell our packets from those for the tunnel. Needs `CAP_NET_ADMIN`.
    pub mark: Option<u32>,
}

/// Why there are no sockets, or no datagrams.
#[derive(Debug, thiserror::Error)]
pub enum UdpError {
    /// `SO_MARK` was refused.
    #[error("not permitted to mark packets: run as root or with CAP_NET_ADMIN")]
    Permission,
    /// The host has neither IPv4 nor IPv6.
    #[error("no UDP socket could be bound: {0}")]
    NoSocket(io::Error),
    /// [`UdpSockets::stop`] was called.
    #[error("the UDP sockets were stopped")]
    Stopped,
    /// Anything else.
    #[error("the UDP socket failed: {0}")]
    Io(#[from] io::Error),
}

/// The sockets. Clones are the same sockets.
#[derive(Clone)]
pub struct UdpSockets {
    core: Arc<Core>,
}

/// What senders and receivers share.
pub(crate) struct Core {
    pub(crate) pair: ArcSwap<Pair>,
    pub(crate) stopped: AtomicBool,
    /// Dropped to wake those who poll the pair; also held while rebinding.
    waker: Mutex<Option<PipeWriter>>,
    mark: Option<u32>,
}

/// One generation of sockets.
pub(crate) struct Pair {
    pub(crate) v4: Option<Socket>,
    pub(crate) v6: Option<Socket>,
    /// At its end when this generation is no longer the current one.
    pub(crate) replaced: PipeReader,
}

impl UdpSockets {
    /// Binds both families. It is no error when the host lacks one of them.
    pub fn bind(bind: &Bind) -> Result<Self, UdpError> {
        let (pair, waker) = Pair::bind(bind.port, bind.port, bind.mark, false)?;
        let core = Core {
            pair: ArcSwap::from_pointee(pair),
            stopped: AtomicBool::new(false),
            waker: Mutex::new(Some(waker)),
            mark: bind.mark,
        };
        Ok(Self { core: Arc::new(core) })
    }

    /// The port of the IPv4 socket; without one, that of the IPv6 socket.
    pub fn port(&self) -> u16 {
        let pair = self.core.pair.load();
        pair.v4.as_ref().or(pair.v6.as_ref()).map_or(0, Socket::port)
    }

    /// The port of the IPv6 socket; `None` when the host has no IPv6.
    pub fn port_v6(&self) -> Option<u16> {
        self.core.pair.load().v6.as_ref().map(Socket::port)
    }

    /// Whether several datagrams go out in one call.
    pub fn gso(&self) -> bool {
        self.core.pair.load().each().any(|socket| socket.gso.is_on())
    }

    /// Whether several datagrams come in as one.
    pub fn gro(&self) -> bool {
        self.core.pair.load().each().any(|socket| socket.state.gro_segments() > 1)
    }

    /// A handle to send by. Cheap.
    pub fn sender(&self) -> UdpSender {
        UdpSender::new(Arc::clone(&self.core))
    }

    /// A handle to receive by, for one thread.
    pub fn receiver(&self) -> UdpReceiver {
        UdpReceiver::new(Arc::clone(&self.core))
    }

    /// Replaces the sockets by fresh ones at the same ports: what the kernel remembered about the old network (routes,
    /// path MTUs, errors) is gone, and a family that came into being is used. On an error the old ones stay.
    pub fn rebind(&self) -> Result<(), UdpError> {
        let mut waker = self.core.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if self.core.stopped.load(Ordering::Acquire) {
            return Err(UdpError::Stopped);
        }
        let old = self.core.pair.load_full();
        for socket in old.each() {
            socket.share_port()?;
        }
        let port = self.port();
        let (pair, next) = Pair::bind(port, self.port_v6().unwrap_or(port), self.core.mark, true)?;
        self.core.pair.store(Arc::new(pair));
        *waker = Some(next);
        Ok(())
    }

    /// Ends receiving: blocked and later receivers get [`UdpError::Stopped`].
    pub fn stop(&self) {
        let mut waker = self.core.waker.lock().unwrap_or_else(PoisonError::into_inner);
        self.core.stopped.store(true, Ordering::Release);
        waker.take();
    }
}

impl Pair {
    fn bind(port_v4: u16, port_v6: u16, mark: Option<u32>, shared: bool) -> Result<(Self, PipeWriter), UdpError> {
        let v4 = bind_or_any(Family::V4, port_v4, mark, shared);
        // One port for both when that is possible: people forward one.
        let wish = v4.as_ref().map_or(port_v6, |socket| if port_v6 == port_v4 { socket.port() } else { port_v6 });
        let v6 = bind_or_any(Family::V6, wish, mark, shared);
        let (v4, v6) = match (v4, v6) {
            (Err(error), _) | (_, Err(error)) if error.raw_os_error() == Some(nix::libc::EPERM) => {
                return Err(UdpError::Permission);
            }
            (Err(error), Err(_)) => return Err(UdpError::NoSocket(error)),
            (v4, v6) => (v4.ok(), v6.ok()),
        };
        let (replaced, waker) = io::pipe()?;
        Ok((Self { v4, v6, replaced }, waker))
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = &Socket> {
        self.v4.iter().chain(self.v6.iter())
    }
}

fn bind_or_any(family: Family, port: u16, mark: Option<u32>, shared: bool) -> io::Result<Socket> {
    match Socket::bind(family, port, mark, shared) {
        Err(error) if port != 0 && matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
            Socket::bind(family, 0, mark, shared)
        }
        outcome => outcome,
    }
}

impl std::fmt::Debug for UdpSockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpSockets").field("port", &self.port()).field("port_v6", &self.port_v6()).finish()
    }
}

#[cfg(test)]
mod tests;
