//! The way in: HTTP over the running server's socket, in its data folder.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::admin::documents::{DoneDocument, ErrorDocument};

/// How long an answer may take: the server writes to its disk in between.
const PATIENCE: Duration = Duration::from_secs(30);
/// A list of a hundred thousand nodes is about this long.
const ANSWER_MAX: usize = 128 << 20;

/// The socket of a server.
pub(super) struct Door {
    socket: PathBuf,
}

/// What the server said no to, or why it could not be asked, with the exit code that tells them apart.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// What the server said, or what stands for it.
    pub(super) document: ErrorDocument,
    /// For scripts.
    pub(super) code: u8,
}

impl Failure {
    /// The server refused: the request is wrong or contradicts what is there.
    pub(super) const REFUSED: u8 = 1;
    /// What it is about does not exist.
    const NOT_FOUND: u8 = 4;
    /// No server, or no right to ask it.
    const UNREACHABLE: u8 = 3;
    /// Somebody must decide: it was changed meanwhile, or would do what nobody wants by mistake.
    const UNDECIDED: u8 = 5;

    fn new(code: u8, sentence: String) -> Self {
        Self { document: ErrorDocument { error: sentence, ..ErrorDocument::default() }, code }
    }

    /// Nothing was done, because somebody must decide first.
    pub(super) fn undecided(sentence: &str) -> Self {
        Self::new(Self::UNDECIDED, sentence.to_owned())
    }

    fn from_answer(status: StatusCode, document: ErrorDocument) -> Self {
        let code = match (status, document.code.as_str()) {
            (StatusCode::NOT_FOUND, _) => Self::NOT_FOUND,
            (_, "policy-moved" | "policy-lockout") => Self::UNDECIDED,
            _ => Self::REFUSED,
        };
        Self { document, code }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.document.error)
    }
}

impl std::error::Error for Failure {}

impl Door {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Asks for a document.
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call(Method::GET, path, &DoneDocument {}).await
    }

    /// Sends a document.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        document: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.call(method, path, document).await
    }

    /// Removes something.
    pub(super) async fn remove(&self, path: &str) -> anyhow::Result<()> {
        let DoneDocument {} = self.call(Method::DELETE, path, &DoneDocument {}).await?;
        Ok(())
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let body = serde_json::to_vec(body).context("cannot write the request")?;
        let (status, answer) =
            tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await.map_err(|_| {
                Failure::new(Failure::UNREACHABLE, format!("the server at {} does not answer", self.socket.display()))
            })??;
        if status.is_success() {
            return serde_json::from_slice(&answer)
                .context("the server's answer makes no sense; is it another version?");
        }
        let document = serde_json::from_slice(&answer).unwrap_or_else(|_| ErrorDocument {
            error: format!("the server answered {status}; is it another version?"),
            ..ErrorDocument::default()
        });
        Err(Failure::from_answer(status, document).into())
    }

    async fn exchange(&self, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driving = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "admin")
            .header("content-type", "application/json");
        let answer = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
        let status = answer.status();
        let body =
            Limited::new(answer.into_body(), ANSWER_MAX).collect().await.map_err(|error| anyhow::anyhow!(error))?;
        drop(sender);
        driving.abort();
        Ok((status, body.to_bytes()))
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let socket = self.socket.display();
        let sentence = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => format!(
                "no server runs on this folder ({socket} does not answer): start one with \"wattle-control serve\", or say \
                 where its folder is with --data"
            ),
            io::ErrorKind::PermissionDenied => {
                format!("{socket} is for root and the server's own user: try again as one of them")
            }
            _ => format!("cannot reach the server at {socket}: {error}"),
        };
        Failure::new(Failure::UNREACHABLE, sentence)
    }
}

/// A name as one part of a path.
pub(super) fn part(name: &str) -> String {
    let mut part = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => part.push(char::from(byte)),
            _ => part.push_str(&format!("%{byte:02X}")),
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_part_of_a_path() {
        assert_eq!(part("alice@example.com"), "alice%40example.com");
        assert_eq!(part("../x?y#z é"), "..%2Fx%3Fy%23z%20%C3%A9");
    }

    #[tokio::test]
    async fn without_a_server_the_reason_and_the_remedy_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let door = Door::new(folder.path().join("admin.sock"));
        let error = door.read::<DoneDocument>("/users").await.unwrap_err();
        let failure = error.downcast_ref::<Failure>().unwrap();
        assert_eq!(failure.code, Failure::UNREACHABLE);
        assert!(failure.to_string().contains("wattle-control serve"), "{failure}");
    }
}
