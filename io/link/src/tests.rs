//! Both sides of every connection against each other, over loopback.

mod control;
mod relay;
mod server;

use std::net::SocketAddr;

use axum::Router;

use crate::{ClientTls, Dialer, Server, ServerIdentity};

/// Serves a router on some port until the runtime ends.
async fn serve(router: Router, identity: Option<&ServerIdentity>) -> SocketAddr {
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), identity).await.unwrap();
    let address = server.local_address().unwrap();
    tokio::spawn(server.serve(router, std::future::pending()));
    address
}

fn dialer() -> Dialer {
    Dialer::new(ClientTls::new().unwrap(), None)
}
