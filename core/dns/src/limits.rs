//! How much a resolver holds and sends.

/// Addresses of one name that are answered: more do not fit into a small reply.
pub(crate) const ADDRESSES_PER_NAME_MAX: usize = 64;
/// Extra records that are served: control sends them, a person wrote them.
pub(crate) const EXTRA_RECORDS_MAX: usize = 10_000;
/// Upstream resolvers that one query goes to: they race, and each costs a socket.
pub(crate) const UPSTREAMS_MAX: usize = 8;
/// Longest reply over UDP to an asker that says nothing about itself (RFC 1035).
pub(crate) const UDP_REPLY_BYTES: usize = 512;
/// Longest reply over UDP whatever the asker says (tailscale `tsdns.go`, `maxResponseBytes`).
pub(crate) const UDP_REPLY_BYTES_MAX: usize = 4095;
/// Longest reply over TCP: what its length prefix can say.
pub(crate) const TCP_REPLY_BYTES_MAX: usize = u16::MAX as usize;
/// Seconds that an address may be kept: maps change at any time.
pub(crate) const POSITIVE_TTL_SECONDS: u32 = 5;
/// Seconds that "no such name" may be kept.
pub(crate) const NEGATIVE_TTL_SECONDS: u32 = 10;
