//! The STUN responder's socket.

use std::net::SocketAddr;

use tokio::net::UdpSocket;

use crate::RelayHandle;
use crate::limits::STUN_BYTES;

/// Answers STUN on `socket` until the task is dropped.
pub async fn serve_stun(socket: UdpSocket, relay: RelayHandle) {
    let mut packet = [0; STUN_BYTES];
    let mut reply = Vec::new();
    loop {
        let (length, from) = match socket.recv_from(&mut packet).await {
            Ok(received) => received,
            Err(error) => {
                // An ICMP error about an earlier reply shows here; nothing is wrong with the socket.
                tracing::debug!(%error, "stun receive");
                tokio::task::yield_now().await;
                continue;
            }
        };
        // On a socket for both families IPv4 askers look mapped into IPv6; they asked for their IPv4 address.
        let seen_from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let packet = packet.get(..length).unwrap_or_default();
        if relay.with_stun(|stun| stun.answer(packet, seen_from, &mut reply))
            && let Err(error) = socket.send_to(&reply, from).await
        {
            tracing::debug!(%error, %from, "stun reply");
        }
    }
}
