//! The TOML file as it stands. What is wrong is named with line and column.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Lifetime;
use super::providers::ProviderSection;

/// Larger than any configuration.
const BYTES_MAX: u64 = 1 << 20;

/// Every key. `None` is "not said".
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    pub(crate) data: Option<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) server_url: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) console: Option<SocketAddr>,
    pub(crate) policy: PolicySection,
    pub(crate) log: Option<String>,
    pub(crate) tls: Option<TlsSection>,
    pub(crate) relay: RelaySection,
    pub(crate) relay_maps: Vec<PathBuf>,
    pub(crate) nodes: NodesSection,
    pub(crate) dns: DnsSection,
    pub(crate) providers: Vec<ProviderSection>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsSection {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PolicySection {
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RelaySection {
    pub(crate) enabled: Option<bool>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) stun_listen: Option<SocketAddr>,
    pub(crate) host: Option<String>,
    pub(crate) region: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) bytes_per_second: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NodesSection {
    pub(crate) key_lifetime: Option<Lifetime>,
    pub(crate) ephemeral_after: Option<Lifetime>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DnsSection {
    pub(crate) resolvers: Vec<IpAddr>,
}

/// Why a file is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot read {path}: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("{path}:{line}:{column}: {problem}")]
    Wrong { path: PathBuf, line: usize, column: usize, problem: String },
}

impl ConfigFile {
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let unreadable = |reason: String| FileError::Unreadable { path: path.to_owned(), reason };
        let length = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if length > BYTES_MAX {
            return Err(unreadable("it is too large to be a configuration".to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        Self::parse(&text).map_err(|(line, column, problem)| FileError::Wrong {
            path: path.to_owned(),
            line,
            column,
            problem,
        })
    }

    /// The configuration, or line, column and problem.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, usize, String)> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
            // One sentence: the parser may add lines with the expected words.
            (line, column, error.message().lines().collect::<Vec<_>>().join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../config.example.toml");

    #[test]
    fn the_example_is_a_configuration_with_every_key() {
        ConfigFile::parse(EXAMPLE).unwrap();
        // With what is commented out put in: keys that stand there are keys that exist.
        let whole: String = EXAMPLE
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|rest| rest.contains(" = ") || matches!(*rest, "[tls]" | "[[providers]]"))
                    .unwrap_or(line)
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let file = ConfigFile::parse(&whole).unwrap();
        assert!(
            file.tls.is_some() && file.policy.file.is_some() && file.console.is_some() && file.relay.host.is_some()
        );
        assert_eq!((file.relay_maps.len(), file.providers.len()), (1, 2));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let (line, column, problem) = ConfigFile::parse("data = \"x\"\n[relay]\nlissten = \"1\"\n").unwrap_err();
        assert_eq!((line, column), (3, 1));
        assert!(problem.contains("lissten"), "{problem}");
        let (line, column, _) = ConfigFile::parse("listen = \"nowhere\"").unwrap_err();
        assert_eq!((line, column), (1, 10));
        let (line, _, problem) = ConfigFile::parse("\n[nodes]\nkey_lifetime = \"soon\"\n").unwrap_err();
        assert_eq!(line, 3);
        assert!(problem.contains("90d"), "{problem}");
    }
}
