//! `/derp`: from an HTTP request to a relay client, by `Upgrade: DERP` or by WebSocket.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use wattle_wire::derp::PROTOCOL_VERSION;

use super::websocket;
use crate::RelayHandle;
use crate::limits::WEBSOCKET_MESSAGE_BYTES;

/// Asks for no head of the answer, and in our answer tells whoever writes it to leave it out.
const FAST_START: HeaderName = HeaderName::from_static("derp-fast-start");

/// Source: `derpserver/handler.go Handler`, `derpserver/websocket.go`.
pub(super) async fn upgrade(
    State(relay): State<RelayHandle>,
    ConnectInfo(source): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let wanted = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if wanted.eq_ignore_ascii_case("derp") {
        upgrade_to_derp(relay, source, request)
    } else if wanted.eq_ignore_ascii_case("websocket") {
        upgrade_to_websocket(relay, source, request).await
    } else {
        (StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "DERP")], "DERP requires connection upgrade\n")
            .into_response()
    }
}

fn upgrade_to_derp(relay: RelayHandle, source: SocketAddr, request: Request) -> Response {
    let public = relay.public_key().to_hex();
    // Such a client knows our key from TLS and reads frames at once; the server leaves this head out.
    let fast = request.headers().get(FAST_START).is_some_and(|value| value == "1");
    tokio::spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(stream) => {
                let (reader, writer) = tokio::io::split(TokioIo::new(stream));
                relay.serve_client(reader, writer, source).await;
            }
            Err(error) => tracing::debug!(%source, %error, "relay upgrade failed"),
        }
    });
    let headers = [
        (header::UPGRADE, HeaderValue::from_static("DERP")),
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (HeaderName::from_static("derp-version"), HeaderValue::from(PROTOCOL_VERSION)),
    ];
    let mut response = (StatusCode::SWITCHING_PROTOCOLS, headers, [("derp-public-key", public)]).into_response();
    if fast {
        response.headers_mut().insert(FAST_START, HeaderValue::from_static("1"));
    }
    response
}

async fn upgrade_to_websocket(relay: RelayHandle, source: SocketAddr, request: Request) -> Response {
    let (mut parts, _body) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade
            .protocols(["derp"])
            .max_message_size(WEBSOCKET_MESSAGE_BYTES)
            .max_frame_size(WEBSOCKET_MESSAGE_BYTES),
        Err(refusal) => return refusal.into_response(),
    };
    if upgrade.selected_protocol().is_none() {
        return (StatusCode::BAD_REQUEST, "the WebSocket must ask for the subprotocol \"derp\"\n").into_response();
    }
    upgrade.on_upgrade(move |socket| async move {
        let (reader, writer) = websocket::split(socket);
        relay.serve_client(reader, writer, source).await;
    })
}
