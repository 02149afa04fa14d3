//! Why there is no TUN device, in words that say what to do about it.

use std::io;

use nix::errno::Errno;

/// What can go wrong with a TUN device.
#[derive(Debug, thiserror::Error)]
pub enum TunError {
    /// The kernel has no TUN driver, or this container was not given it.
    #[error("there is no /dev/net/tun: load the kernel module with `modprobe tun`, or give the container the device")]
    NoDevice,
    /// Only root or a process with `CAP_NET_ADMIN` may.
    #[error("not permitted to make a network interface: run as root or with CAP_NET_ADMIN")]
    Permission,
    /// Another program holds an interface of that name.
    #[error("the interface {name} is in use by another program: stop it, or choose another name with --tun")]
    Busy {
        /// The interface.
        name: String,
    },
    /// Linux takes 1 to 15 bytes, without slash and space.
    #[error("{name:?} is no name for a network interface: 1 to 15 letters, digits, dots, dashes")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// [`stop`](crate::Tun::stop) was called.
    #[error("the TUN device was stopped")]
    Stopped,
    /// Anything else.
    #[error("the TUN device failed: {0}")]
    Io(#[from] io::Error),
}

impl TunError {
    /// The error of making the interface `name`.
    pub(crate) fn creating(name: &str, error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ENXIO | Errno::ENODEV) => Self::NoDevice,
            Some(Errno::EPERM | Errno::EACCES) => Self::Permission,
            Some(Errno::EBUSY) => Self::Busy { name: name.to_owned() },
            // An interface of another kind carries the name.
            Some(Errno::EINVAL) => Self::Busy { name: name.to_owned() },
            _ => Self::Io(error),
        }
    }
}
