//! Whether something between us and the Internet answers in its place, as hotels' networks do until somebody signs in.
//!
//! Source: tailscale `net/captivedetection`, `derp/derpserver/handler.go ServeNoContent`.

use std::net::IpAddr;

use http::header::{HOST, HeaderValue};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use tokio::time::timeout;

use crate::dialer::{Dialer, Target};
use crate::limits::{CAPTIVE_MAX, RELAY_CONNECT_MAX};
use crate::request::HttpConnection;

const PATH: &str = "/generate_204";
const CHALLENGE: &str = "x-tailscale-challenge";
const RESPONSE: &str = "x-tailscale-response";
/// As much of a host name as servers echo.
const NAME_BYTES_MAX: usize = 60;

/// A server that proves over plain HTTP that it is itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its name.
    pub host: String,
    /// Its address; `None`: it is looked up, which a network without a way out may answer wrongly.
    pub address: Option<IpAddr>,
    /// Its port for plain HTTP.
    pub port: u16,
}

/// Asks a witness. `Some(true)`: somebody else answered in its place. `None`: nobody answered, which says nothing.
pub async fn is_captive(dialer: &Dialer, witness: &Witness) -> Option<bool> {
    let target = Target {
        host: witness.host.clone(),
        port: witness.port,
        addresses: witness.address.into_iter().collect(),
        trust: None,
        connect_max: RELAY_CONNECT_MAX,
    };
    let harmless = |c: &char| c.is_ascii_alphanumeric() || "._:-".contains(*c);
    let name: String = witness.host.chars().filter(harmless).take(NAME_BYTES_MAX).collect();
    let challenge = format!("ts_{name}");
    let asking = async {
        let mut connection = HttpConnection::open(dialer, &target).await.ok()?;
        let request = Request::builder().uri(PATH).header(HOST, target.name()).header(CHALLENGE, &challenge);
        let head = connection.head_of_answer(request.body(Full::default()).ok()?).await.ok()?;
        Some(!is_proven(head.status, &head.headers, &challenge))
    };
    timeout(CAPTIVE_MAX, asking).await.ok().flatten()
}

fn is_proven(status: StatusCode, headers: &HeaderMap, challenge: &str) -> bool {
    let response = headers.get(RESPONSE).map(HeaderValue::as_bytes);
    status == StatusCode::NO_CONTENT && response == Some(format!("response {challenge}").as_bytes())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::tls::ClientTls;

    /// What is found out when this is the answer; `{}` in it becomes the challenge.
    async fn found(answer: &'static str) -> Option<bool> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let challenge = request.split("challenge: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
            stream.write_all(answer.replace("{}", &challenge).as_bytes()).await.unwrap();
        });
        let witness = Witness { host: "relay.example".to_owned(), address: "127.0.0.1".parse().ok(), port };
        let found = is_captive(&Dialer::new(ClientTls::new().unwrap(), None), &witness).await;
        serving.await.unwrap();
        found
    }

    #[tokio::test]
    async fn the_witness_itself_is_told_from_those_who_answer_for_it() {
        assert_eq!(found("HTTP/1.1 204 No Content\r\nX-Tailscale-Response: response {}\r\n\r\n").await, Some(false));
        assert_eq!(found("HTTP/1.1 204 No Content\r\n\r\n").await, Some(true));
        assert_eq!(
            found("HTTP/1.1 302 Found\r\nLocation: http://login.hotel/\r\nContent-Length: 0\r\n\r\n").await,
            Some(true)
        );
        assert_eq!(found("").await, None);
    }
}
