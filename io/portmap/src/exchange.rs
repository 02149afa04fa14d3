//! One HTTP request to the router.

use std::io;

use bytes::Bytes;
use http::Request;
use http::header::{CONNECTION, CONTENT_TYPE, HOST};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use wattle_portmap_core::{HttpId, HttpRequest};

use crate::limits::{ANSWER_BYTES_MAX, EXCHANGE_MAX};

/// Makes the request. Also what routers answer with an error status is an answer: faults come so.
pub(crate) async fn exchange(request: HttpRequest, mark: Option<u32>) -> (HttpId, Option<Bytes>) {
    let id = request.id;
    let answer = match timeout(EXCHANGE_MAX, converse(request, mark)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the router does not answer over HTTP");
            None
        }
        Err(_) => None,
    };
    (id, answer)
}

async fn converse(request: HttpRequest, mark: Option<u32>) -> io::Result<Bytes> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(mark) = mark {
        socket.set_mark(mark)?;
    }
    let stream = TcpSocket::from_std_stream(socket.into()).connect(request.to.into()).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let message = Request::builder().uri(request.path).header(HOST, request.to.to_string()).header(CONNECTION, "close");
    let message = match request.action {
        Some((action, body)) => message
            .method("POST")
            .header(CONTENT_TYPE, "text/xml; charset=\"utf-8\"")
            .header("SOAPAction", action)
            .body(Full::new(Bytes::from(body))),
        None => message.body(Full::default()),
    };
    let talking = async {
        let response = sender.send_request(message.map_err(io::Error::other)?).await.map_err(io::Error::other)?;
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(io::Error::other)?;
        Ok(body.to_bytes())
    };
    // The connection must run for the answer to come, and ends with it.
    let mut talking = std::pin::pin!(talking);
    tokio::select! {
        answer = talking.as_mut() => answer,
        ended = connection => {
            ended.map_err(io::Error::other)?;
            talking.await
        }
    }
}
