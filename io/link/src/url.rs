//! The URL of a server, and the addresses to try for it.

use std::net::IpAddr;
use std::str::FromStr;

use crate::error::DialError;

/// The URL of a coordination server: scheme, host, and a port or none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ControlUrl {
    origin: Origin,
}

impl ControlUrl {
    /// Where to try, in order. `https` is never weakened. `http` may be strengthened: what a middlebox on the way
    /// does not let through in plain it may let through as TLS, but at a private address no certificate is to be expected
    /// (tailscale `control/ts2021/client.go NewClient`).
    pub(crate) fn attempts(&self) -> Vec<Origin> {
        let mut attempts = vec![self.origin.clone()];
        if !self.origin.secure && !self.origin.is_private() {
            attempts.push(Origin { secure: true, port: 443, ..self.origin.clone() });
        }
        attempts
    }
}

impl FromStr for ControlUrl {
    type Err = DialError;

    fn from_str(text: &str) -> Result<Self, DialError> {
        let (origin, rest) = Origin::parse(text.trim())?;
        if !matches!(rest.as_str(), "" | "/") {
            return Err(DialError::Url(text.to_owned()));
        }
        Ok(Self { origin })
    }
}

impl std::fmt::Display for ControlUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.origin.fmt(f)
    }
}

/// A scheme, a host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) secure: bool,
    /// A name or an address, IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// Splits a URL into its origin and what follows.
    pub(crate) fn parse(text: &str) -> Result<(Self, String), DialError> {
        let wrong = || DialError::Url(text.to_owned());
        let uri: http::Uri = text.parse().map_err(|_| wrong())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        // Neither a password nor a port that is no number, which `Uri` passes over.
        let port = uri.port_u16().map_or_else(String::new, |port| format!(":{port}"));
        if uri.authority().is_none_or(|authority| *authority != format!("{host}{port}").as_str()) {
            return Err(wrong());
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let rest = uri.path_and_query().map_or_else(String::new, ToString::to_string);
        Ok((Self { secure, host, port }, rest))
    }

    /// Host and port as the `Host` header has them.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    fn is_private(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
            Ok(IpAddr::V6(address)) => {
                address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
            }
            Err(_) => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(text: &str) -> Vec<String> {
        text.parse::<ControlUrl>().unwrap().attempts().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn https_is_never_weakened_and_http_only_strengthened_in_public() {
        assert_eq!(attempts("https://mesh.example.com"), ["https://mesh.example.com:443"]);
        assert_eq!(attempts("https://mesh.example.com:8443/"), ["https://mesh.example.com:8443"]);
        assert_eq!(
            attempts("http://mesh.example.com:8080"),
            ["http://mesh.example.com:8080", "https://mesh.example.com:443"]
        );
        assert_eq!(attempts("http://localhost"), ["http://localhost:80"]);
        assert_eq!(attempts("http://192.168.1.1:80"), ["http://192.168.1.1:80"]);
        assert_eq!(attempts("http://[fd00::1]:8080"), ["http://[fd00::1]:8080"]);
    }

    #[test]
    fn what_is_no_server_url_is_named() {
        for text in [
            "",
            "mesh.example.com",
            "ftp://x",
            "https://",
            "https://mesh.example.com/sub",
            "http://a b",
            "http://x:99999",
        ] {
            assert_eq!(text.parse::<ControlUrl>(), Err(DialError::Url(text.to_owned())), "{text}");
        }
    }
}
