//! Where runs of datagrams may go in one call, learnt from what the kernel refuses.
//!
//! Two things stand in the way. A card or a tunnel below us cannot finish checksums: then nothing of this socket goes in
//! one call (`EIO`). Or one destination is behind a link that is smaller than a datagram: the kernel cuts single
//! datagrams, but not those of a run (`EINVAL`, in newer kernels `EMSGSIZE`), so that only runs to it are given up.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use nix::libc;

use crate::limits::SMALL_DESTINATIONS;

/// What one socket has learnt. Whoever sends may write to it.
#[derive(Debug)]
pub(crate) struct Gso {
    segments: usize,
    off: AtomicBool,
    /// Hashes of destinations behind small links, 0 where there is none; the oldest is overwritten. A collision costs
    /// speed, nothing else.
    small: [AtomicU64; SMALL_DESTINATIONS],
    noted: AtomicUsize,
}

impl Gso {
    /// Of a socket whose kernel takes so many segments in one call.
    pub(crate) fn new(segments: usize) -> Self {
        Self { segments, off: AtomicBool::new(false), small: Default::default(), noted: AtomicUsize::new(0) }
    }

    /// Whether runs are sent at all.
    pub(crate) fn is_on(&self) -> bool {
        self.segments > 1 && !self.off.load(Ordering::Relaxed)
    }

    /// How many segments may go there in one call.
    pub(crate) fn segments_to(&self, to: SocketAddr) -> usize {
        let is_single = !self.is_on() || (self.noted.load(Ordering::Relaxed) > 0 && self.is_small(hash(to)));
        if is_single { 1 } else { self.segments }
    }

    /// A run was refused. Whether its datagrams may still go one by one.
    pub(crate) fn note_refusal(&self, to: SocketAddr, error: &io::Error) -> bool {
        match error.raw_os_error() {
            Some(libc::EIO) => {
                self.off.store(true, Ordering::Relaxed);
                true
            }
            Some(libc::EINVAL | libc::EMSGSIZE) => {
                let hash = hash(to);
                if !self.is_small(hash) {
                    let at = self.noted.fetch_add(1, Ordering::Relaxed) % SMALL_DESTINATIONS;
                    if let Some(place) = self.small.get(at) {
                        place.store(hash, Ordering::Relaxed);
                    }
                }
                true
            }
            _ => false,
        }
    }

    fn is_small(&self, hash: u64) -> bool {
        self.small.iter().any(|small| small.load(Ordering::Relaxed) == hash)
    }
}

fn hash(to: SocketAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    to.hash(&mut hasher);
    hasher.finish() | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn refusal(errno: i32) -> io::Error {
        io::Error::from_raw_os_error(errno)
    }

    #[test]
    fn a_small_link_slows_its_own_destination_only() {
        let gso = Gso::new(64);
        assert!(gso.note_refusal(to(1), &refusal(libc::EINVAL)));
        assert!(gso.note_refusal(to(2), &refusal(libc::EMSGSIZE)));
        assert_eq!([1, 2, 3].map(|port| gso.segments_to(to(port))), [1, 1, 64]);
        for port in 10..10 + SMALL_DESTINATIONS as u16 {
            assert!(gso.note_refusal(to(port), &refusal(libc::EINVAL)));
        }
        assert_eq!(gso.segments_to(to(1)), 64, "the oldest is tried again");
    }

    #[test]
    fn without_checksum_offload_there_are_no_runs_at_all() {
        let gso = Gso::new(64);
        assert!(!gso.note_refusal(to(1), &refusal(libc::EPERM)));
        assert!(gso.is_on());
        assert!(gso.note_refusal(to(1), &refusal(libc::EIO)));
        assert!(!gso.is_on());
        assert_eq!(gso.segments_to(to(9)), 1);
    }
}
