//! Every limit of port mapping, with its reason.

use std::time::Duration;

/// What a mapping is asked for (tailscale `net/portmapper`, RFC 6886 section 3.3).
pub(crate) const LIFETIME: Duration = Duration::from_secs(7200);
/// A router that grants longer is not believed: mappings that nobody renews must end.
pub(crate) const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// A router that grants less is asked no more often than that.
pub(crate) const LIFETIME_MIN: Duration = Duration::from_secs(120);
/// When the questions are asked: routers are one hop away, and a lost packet is rare there. What has not answered after
/// the first wait is passed over (tailscale: 250 ms for all).
pub(crate) const TRIES: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];
/// One HTTP exchange with the router. Some are slow machines.
pub(crate) const HTTP_MAX: Duration = Duration::from_secs(5);
/// A network whose router knows none of it is asked again after this long (`trustServiceStillAvailableDuration`).
pub(crate) const NOTHING_FOUND: Duration = Duration::from_secs(600);
/// A mapping that is in use is asked for again at most this often: once for each measurement of our network. Not every
/// router says that it was restarted.
pub(crate) const REFRESH_MIN: Duration = Duration::from_secs(15);
/// A router that announces one restart after the other is heard this often.
pub(crate) const ANNOUNCEMENT_MIN: Duration = Duration::from_secs(2);
/// The largest description of a router that is read.
pub(crate) const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
/// The longest URL or service name in it.
pub(crate) const TEXT_BYTES_MAX: usize = 512;
/// Services in it that are looked at.
pub(crate) const SERVICES_MAX: usize = 64;
/// Other external ports that are tried at a UPnP router when somebody has ours.
pub(crate) const PORTS_TRIED_MAX: u32 = 4;
