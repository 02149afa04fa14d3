//! Every limit of connections, with its reason.

use std::time::Duration;

// The Noise stream.

/// Text gathered before it is sealed and written: four full records, so that an HTTP/2 frame and its header are one write.
pub(crate) const GATHERED_MAX: usize = 4 * wattle_noise::RECORD_PLAIN_MAX;
/// Sealed bytes read at once: two frames. The buffer lives on the stack, so that an idle connection holds none.
pub(crate) const READ_AT_ONCE: usize = 2 * wattle_noise::FRAME_MAX;
/// How long a peer may take nothing of what we have to write.
pub(crate) const WRITE_STALL_MAX: Duration = Duration::from_secs(30);
/// How long a new channel may stay silent: HTTP/2 begins at once.
pub(crate) const FIRST_READ_MAX: Duration = Duration::from_secs(15);
/// How long a channel may be silent: more than two HTTP/2 pings, which any living peer answers.
pub(crate) const IDLE_READ_MAX: Duration = Duration::from_secs(150);
/// Longest WebSocket message: two frames of the channel; peers send one frame each.
pub(crate) const WEBSOCKET_MESSAGE_MAX: usize = 16 * 1024;
/// Bytes queued in a WebSocket before writes wait.
pub(crate) const WEBSOCKET_QUEUE_MAX: usize = 128 * 1024;

// Servers.

/// Connections in their HTTP phase at once. Above it new ones wait in the kernel's queue, which is bounded too.
pub(crate) const CONNECTIONS_MAX: usize = 16 * 1024;
/// A TLS handshake takes one or two round trips.
pub(crate) const TLS_HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A request head fits one or two packets. This also ends idle keep-alive connections.
pub(crate) const HEAD_READ_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request head.
pub(crate) const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Headers of a request.
pub(crate) const HEADERS_MAX: usize = 64;
/// From the 101 until hyper hands the connection over: only the answer's bytes are in between.
pub(crate) const UPGRADE_MAX: Duration = Duration::from_secs(10);
/// How long requests may go on after shutdown was asked for.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// Waiting after `accept` failed, which means that descriptors ran out: some must be closed first.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);

// HTTP/2, on both sides.

/// Requests at once on one connection: a node has one map stream and a few short requests.
pub(crate) const STREAMS_MAX: u32 = 64;
/// Bytes of a header list.
pub(crate) const HEADER_LIST_MAX: u32 = 16 * 1024;
/// Streams that a peer opened and reset at once, still to be cleaned up (rapid reset attack).
pub(crate) const PENDING_RESETS_MAX: usize = 20;
/// What a peer may send us on one stream before we have read it.
pub(crate) const STREAM_WINDOW: u32 = 64 * 1024;
/// What a peer may send us on all streams.
pub(crate) const CONNECTION_WINDOW: u32 = 256 * 1024;
/// What a node allows its server to send ahead: first maps are large.
pub(crate) const CLIENT_WINDOW: u32 = 1024 * 1024;
/// Bytes queued for one stream; many are long polls.
pub(crate) const SEND_QUEUE_MAX: usize = 128 * 1024;
/// Pings on a quiet connection.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(60);
/// How long a ping may stay unanswered.
pub(crate) const PING_ANSWER_MAX: Duration = Duration::from_secs(20);

/// A peer that is gone without a word is probed after this long.
pub(crate) const DEAD_PEER: Duration = Duration::from_secs(60);

// Clients.

/// How long what we sent may stay unacknowledged before the kernel gives the connection up: the network has changed.
pub(crate) const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// One attempt to connect to one address.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Head start of one address over the next (RFC 8305 section 5).
pub(crate) const CONNECT_STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
pub(crate) const ADDRESSES_MAX: usize = 8;
/// A small request from dialling to the last byte, and the upgrade of a connection.
pub(crate) const SMALL_REQUEST_MAX: Duration = Duration::from_secs(10);
/// Body of an answer to a small request.
pub(crate) const SMALL_BODY_MAX: usize = 64 * 1024;
/// Body of an answer inside the control channel that is no map stream (tailscale allows 1 to 10 MiB).
pub(crate) const REPLY_BODY_MAX: usize = 4 * 1024 * 1024;
/// One message of a map stream, compressed (tailscale `control/tsp DefaultMaxMessageSize`).
pub(crate) const MAP_FRAME_MAX: usize = 4 * 1024 * 1024;
/// One attempt to connect to one address of a relay: room for one lost packet. There are other relays (tailscale
/// `derphttp_client.go dialNodeTimeout`, 1.5 s).
pub(crate) const RELAY_CONNECT_MAX: Duration = Duration::from_secs(2);
/// Asking whether a captive portal is in the way (tailscale `net/captivedetection`, 3 s).
pub(crate) const CAPTIVE_MAX: Duration = Duration::from_secs(3);
/// A relay's login: two messages each way (tailscale `derp/derpserver`, both sides 10 s).
pub(crate) const RELAY_LOGIN_MAX: Duration = Duration::from_secs(10);
/// A relay writes a keepalive every 60 to 65 s; two may be missed (tailscale `derp/derp_client.go`, 120 s).
pub(crate) const RELAY_SILENCE_MAX: Duration = Duration::from_secs(120);
/// How long a relay may take nothing of what we have to write.
pub(crate) const RELAY_WRITE_MAX: Duration = Duration::from_secs(10);
/// Bytes read from a relay at once: some packets of full size.
pub(crate) const RELAY_READ_AT_ONCE: usize = 16 * 1024;
/// Bytes gathered for a relay: a few of the largest packets.
pub(crate) const RELAY_QUEUE_MAX: usize = 256 * 1024;
