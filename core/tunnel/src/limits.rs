//! Every limit and period of the tunnel, with its reason. "Paper" is the WireGuard paper (Donenfeld 2017), section 6.

use std::time::Duration;

/// An initiator that sends with keys older than this begins a new handshake (paper 6.1).
pub const REKEY_AFTER_TIME: Duration = Duration::from_secs(120);
/// Keys older than this neither seal nor open (paper 6.1).
pub const REJECT_AFTER_TIME: Duration = Duration::from_secs(180);
/// A handshake without an answer is tried again after this (paper 6.1), plus jitter.
pub const REKEY_TIMEOUT: Duration = Duration::from_secs(5);
/// The most jitter on a retry, so that two peers that began together do not stay together (wireguard-go `RekeyTimeoutJitterMaxMs`).
pub const REKEY_JITTER_MS_MAX: u64 = 334;
/// After this long without an answer a handshake is given up until there is something new to send (paper 6.4).
pub const REKEY_ATTEMPT_TIME: Duration = Duration::from_secs(90);
/// Data that was not answered by anything for this long is answered by a keepalive (paper 6.5).
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Our data was not answered by anything for this long: the peer may have lost its keys (paper 6.5).
pub const UNANSWERED_TIMEOUT: Duration = Duration::from_secs(15);
/// An initiator that receives with keys older than this renews them in time (paper 6.2: 180 - 10 - 5 s).
pub const REKEY_ON_RECEIVE_AFTER: Duration = Duration::from_secs(165);

/// Messages under one key after which it is renewed. The paper allows 2^60; this is below what the replay window can name.
pub const REKEY_AFTER_MESSAGES: u64 = 1 << 36;
/// Counters from here on are refused, by sealer and opener. 2^37 messages within 180 s would be a terabyte a second, so
/// no conforming peer gets here; in exchange a slot of the replay window fits one atomic word.
pub const REJECT_AFTER_MESSAGES: u64 = 1 << 37;
/// How many counters behind the newest are still accepted, at least (wireguard-go has 8128).
pub const REPLAY_WINDOW: u64 = 8192 - 32;

/// The most bytes of a message: a UDP datagram.
pub const MESSAGE_BYTES_MAX: usize = 65_535;
/// Packets that wait for the handshake of one peer: the start of a few flows.
pub const STAGED_PACKETS_PER_PEER: usize = 32;
/// Bytes that wait for handshakes over all peers, so that a scan of the tailnet does not fill memory.
pub const STAGED_BYTES_TOTAL: usize = 4 << 20;

/// Handshake messages a second from which we are under load and ask for cookies. One costs about 0.3 ms of curve arithmetic.
pub const HANDSHAKES_PER_SECOND_UNLOADED: u32 = 400;
/// Handshake messages a second from all sources together, with or without cookie: the most CPU this may take.
pub const HANDSHAKES_PER_SECOND_TOTAL: u32 = 2_000;
/// Handshake messages a second from one source that proved its address (the wireguard-go rate limiter allows 20).
pub const HANDSHAKES_PER_SECOND_PER_SOURCE: u32 = 20;
/// Sources counted in one second; more are refused until the next one.
pub const SOURCES_COUNTED: usize = 2_048;
/// Two initiations of one peer closer than this: the second is ignored (wireguard-go `HandshakeInitationRate` is 50 a second).
pub const INITIATION_INTERVAL: Duration = Duration::from_millis(20);
/// How long a cookie is good, and how long a cookie secret is used (paper 5.4.7).
pub const COOKIE_LIFETIME: Duration = Duration::from_secs(120);
