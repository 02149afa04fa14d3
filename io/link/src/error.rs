//! Why there is no connection, or why it ended: each error is one sentence that names what is wrong.

use std::io;

/// Why dialling failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Not a URL that can be dialled.
    #[error("{0:?} is not a server URL; it looks like https://mesh.example.com or http://192.0.2.1:8080")]
    Url(String),
    /// Its name has no address.
    #[error("{host} cannot be found: {reason}")]
    UnknownName {
        /// The name.
        host: String,
        /// What the system says.
        reason: String,
    },
    /// Nothing answers there.
    #[error("{target} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        target: String,
        /// What the system says.
        reason: String,
    },
    /// TLS works, but the certificate is not to be believed.
    #[error("the certificate of {host} is not trusted: {reason}")]
    NotTrusted {
        /// The host.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It answers, but not like a coordination server.
    #[error("{target} is not a coordination server: {reason}")]
    NotCoordination {
        /// Host and port.
        target: String,
        /// What it did.
        reason: String,
    },
    /// It answers, but not like a relay.
    #[error("{target} is not a relay: {reason}")]
    NotRelay {
        /// Host and port.
        target: String,
        /// What it did.
        reason: String,
    },
    /// It understood, and said no.
    #[error("{target} refuses: {reason}")]
    Refused {
        /// Host and port.
        target: String,
        /// Its words.
        reason: String,
    },
}

impl DialError {
    pub(crate) fn unreachable(target: impl ToString, reason: &io::Error) -> Self {
        Self::Unreachable { target: target.to_string(), reason: reason_of(reason) }
    }

    /// What went wrong while TLS was set up.
    pub(crate) fn from_tls(target: &str, host: &str, error: &io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidCertificate(problem)) => {
                Self::NotTrusted { host: host.to_owned(), reason: certificate_problem(problem) }
            }
            Some(rustls::Error::InvalidMessage(_)) => {
                Self::Unreachable { target: target.to_owned(), reason: "it does not speak TLS (https)".to_owned() }
            }
            _ => Self::unreachable(target, error),
        }
    }
}

/// Why a request on an open connection failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The connection ended.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// An answer, or a message of a stream, above its limit.
    #[error("the server sent more than {limit} bytes at once")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The stream ended inside a message.
    #[error("the server ended a stream inside a message")]
    Truncated,
    /// Time is up.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The request cannot be written as HTTP.
    #[error("a request with this address cannot be made: {0}")]
    Malformed(String),
}

impl From<hyper::Error> for RequestError {
    fn from(error: hyper::Error) -> Self {
        Self::Lost(reason_of(&error))
    }
}

impl From<http::Error> for RequestError {
    fn from(error: http::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// The innermost cause: what people can act on.
pub(crate) fn reason_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn certificate_problem(problem: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Problem;
    match problem {
        Problem::UnknownIssuer => "this system does not know who signed it".to_owned(),
        Problem::Expired | Problem::ExpiredContext { .. } => "it has expired, or the clock here is wrong".to_owned(),
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => {
            "it is not valid yet, or the clock here is wrong".to_owned()
        }
        Problem::NotValidForName | Problem::NotValidForNameContext { .. } => "it is for another name".to_owned(),
        Problem::ApplicationVerificationFailure => "it is not the one that was pinned".to_owned(),
        other => other.to_string(),
    }
}
