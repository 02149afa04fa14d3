//! What a relay has done, as plain numbers. A driver shows them.

/// Totals since the start, except the first three, which are counts of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections open now, logged in or not.
    pub connections: u64,
    /// Connections logged in now.
    pub clients: u64,
    /// Of these, clients that call this relay their home.
    pub home_clients: u64,
    /// Connections ever taken.
    pub connections_total: u64,
    /// Connections turned away because the relay is full.
    pub turned_away_total: u64,
    /// Logins that were opened and admitted.
    pub logins_total: u64,
    /// Logins that were opened and not admitted.
    pub refused_total: u64,
    /// Connections cut for what they sent: not DERP, too large, a login that does not open.
    pub malformed_total: u64,
    /// Connections cut because the login took too long.
    pub login_timeouts_total: u64,
    /// Packets that clients sent.
    pub packets_received_total: u64,
    /// Bytes of these packets.
    pub bytes_received_total: u64,
    /// Packets put into the queue of their receiver.
    pub packets_forwarded_total: u64,
    /// Bytes of these packets.
    pub bytes_forwarded_total: u64,
    /// Of the forwarded packets, those that looked like disco.
    pub disco_forwarded_total: u64,
    /// Packets for a key that is not here.
    pub dropped_unknown_total: u64,
    /// Packets that gave way to newer ones in a full queue.
    pub dropped_queue_full_total: u64,
    /// Control frames lost because their client does not read.
    pub dropped_control_total: u64,
    /// Peer-gone frames queued.
    pub peer_gone_total: u64,
    /// Pings answered.
    pub pings_total: u64,
    /// Frames of unknown types that were skipped.
    pub unknown_frames_total: u64,
    /// Times a client's reading was delayed by its rate limit.
    pub rate_limited_total: u64,
}
