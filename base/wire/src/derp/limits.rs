//! How much one DERP peer may make the other hold. Source: tailscale `derp/derp.go` (`MaxPacketSize`, `maxInfoLen`),
//! `derp/derp_client.go` (`recvTimeout`: frames up to 1 MiB) and `derp/derpserver` (`recvClientKey`, `handleFramePing`).

/// Largest packet that is relayed, without keys and header: official relays and clients refuse more.
pub const PACKET_BYTES_MAX: usize = 64 << 10;
/// Largest JSON in a client's login: a relay reads it from anybody, before it knows who they are.
pub const LOGIN_BYTES_MAX: usize = 256 << 10;
/// Largest frame that a client reads: what official clients accept.
pub const CLIENT_FRAME_BYTES_MAX: usize = 1 << 20;
/// Largest frame of an unknown type that is skipped. It is not buffered, but a peer that sends more wastes our time.
pub const SKIPPED_FRAME_BYTES_MAX: usize = 1 << 20;
/// Largest ping body: official relays tolerate more than the eight bytes that mean something, up to here.
pub const PING_BYTES_MAX: usize = 1000;
/// Largest body of the small frames (presence, notes, health texts) that a relay reads: room for future fields.
pub const SMALL_FRAME_BYTES_MAX: usize = 4 << 10;
/// A decoder that is empty gives back buffers above this size when asked: an idle client keeps nothing big.
pub const IDLE_BUFFER_BYTES_MAX: usize = 2 << 10;
