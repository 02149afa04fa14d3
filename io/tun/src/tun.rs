//! One TUN interface, blocking, with a way to wake those who wait.

use std::io::{self, ErrorKind, IoSlice, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::sync::Mutex;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tun_rs::{DeviceBuilder, SyncDevice};
use wattle_packet::{COALESCED_MAX, Coalesced, VNET_HEADER_LENGTH};

use crate::TunError;

/// The MTU of the tunnel: what IPv6 asks at least, so that it fits every path (tailscale `net/tstun/mtu.go`).
pub const MTU: u16 = 1280;

/// The most bytes of one read: the offload header and the largest IP packet.
pub const READ_BYTES_MAX: usize = VNET_HEADER_LENGTH + 65_535;

/// Longest interface name in Linux (`IFNAMSIZ` without its zero byte).
const NAME_LENGTH_MAX: usize = 15;

/// A TUN interface. See the crate for how to drive it.
pub struct Tun {
    device: SyncDevice,
    name: String,
    index: u32,
    mtu: u16,
    /// At its end once `stopper` is dropped: that wakes every thread in `poll`, for good.
    stopped: PipeReader,
    stopper: Mutex<Option<PipeWriter>>,
}

impl Tun {
    /// Makes the interface. It is down and has no addresses yet.
    pub fn create(name: &str, mtu: u16) -> Result<Self, TunError> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'%');
        if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.bytes().all(plain) || matches!(name, "." | "..") {
            return Err(TunError::BadName { name: name.to_owned() });
        }
        let device = DeviceBuilder::new()
            .name(name)
            .mtu(mtu)
            .enable(false)
            .offload(true)
            .build_sync()
            .map_err(|error| TunError::creating(name, error))?;
        device.set_nonblocking(true)?;
        let (stopped, stopper) = io::pipe()?;
        let index = device.if_index()?;
        Ok(Self { device, name: name.to_owned(), index, mtu, stopped, stopper: Mutex::new(Some(stopper)) })
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interface's number in the kernel.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The MTU it was made with.
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// Lets packets flow.
    pub fn up(&self) -> Result<(), TunError> {
        Ok(self.device.enabled(true)?)
    }

    /// Stops packets; the interface stays.
    pub fn down(&self) -> Result<(), TunError> {
        Ok(self.device.enabled(false)?)
    }

    /// Waits for one read of the device and writes it to the front of `into`, which must hold [`READ_BYTES_MAX`]: an
    /// offload header, then a packet or several of one flow, for `wattle_packet::SuperPacket`. Its length.
    pub fn recv(&self, into: &mut [u8]) -> Result<usize, TunError> {
        loop {
            if let Some(length) = self.try_recv(into)? {
                return Ok(length);
            }
            let mut waits = [
                PollFd::new(self.device.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut waits, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
            if waits[1].any().unwrap_or(true) {
                return Err(TunError::Stopped);
            }
        }
    }

    /// One read if there is one now.
    pub fn try_recv(&self, into: &mut [u8]) -> Result<Option<usize>, TunError> {
        loop {
            match self.device.recv(into) {
                Ok(length) => return Ok(Some(length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Hands one IP packet to the host. A packet that the host does not take now (its queue is full, the interface is
    /// down) is dropped, as on any link.
    pub fn send(&self, packet: &[u8]) -> Result<(), TunError> {
        self.write(&[IoSlice::new(&[0; VNET_HEADER_LENGTH]), IoSlice::new(packet)])
    }

    /// As [`Self::send`] with each of the packets, in their order; those that follow each other in one flow in one write.
    pub fn send_run(&self, packets: &[&[u8]]) -> Result<(), TunError> {
        let mut waiting = packets;
        while !waiting.is_empty() {
            let coalesced = Coalesced::of(waiting);
            let (joined, later) = waiting.split_at(coalesced.count().clamp(1, waiting.len()));
            let mut slices = [IoSlice::new(&[]); 1 + COALESCED_MAX];
            let filled = slices
                .iter_mut()
                .zip(std::iter::once(coalesced.front()).chain(joined.iter().map(|packet| coalesced.rest(packet))));
            for (slice, bytes) in filled {
                *slice = IoSlice::new(bytes);
            }
            self.write(slices.get(..=joined.len()).unwrap_or(&slices))?;
            waiting = later;
        }
        Ok(())
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> Result<(), TunError> {
        loop {
            match self.device.send_vectored(slices) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return match error.raw_os_error() {
                        Some(nix::libc::EIO | nix::libc::EAGAIN | nix::libc::ENOBUFS | nix::libc::EINVAL) => Ok(()),
                        _ => Err(error.into()),
                    };
                }
            }
        }
    }

    /// Wakes every thread in [`recv`](Self::recv); it and later callers get [`TunError::Stopped`].
    pub fn stop(&self) {
        self.stopper.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }
}

impl std::fmt::Debug for Tun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tun").field("name", &self.name).field("index", &self.index).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
