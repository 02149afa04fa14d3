//! `[[providers]]`: with whom people sign in. A preset is OpenID Connect with what that service expects filled in.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

/// More than a page of buttons can show.
const PROVIDERS_MAX: usize = 16;
/// Longest name; it is part of addresses.
const NAME_BYTES_MAX: usize = 32;
/// Longer than any secret, issuer or list entry.
const TEXT_BYTES_MAX: usize = 4_096;
/// Entries of a list of domains, users, groups or scopes.
const LIST_MAX: usize = 1_000;

/// One table of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderSection {
    pub(crate) name: String,
    pub(crate) kind: Preset,
    pub(crate) issuer: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<ClientSecret>,
    pub(crate) client_secret_file: Option<PathBuf>,
    pub(crate) title: Option<String>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) ca_file: Option<PathBuf>,
    /// GitHub Enterprise: where its API is ...
    pub(crate) api: Option<String>,
    /// ... and where people sign in.
    pub(crate) web: Option<String>,
    #[serde(default)]
    pub(crate) organisations: Vec<String>,
    #[serde(default)]
    pub(crate) allowed_domains: Vec<String>,
    #[serde(default)]
    pub(crate) allowed_users: Vec<String>,
    #[serde(default)]
    pub(crate) allowed_groups: Vec<String>,
    #[serde(default)]
    pub(crate) require_second_factor: bool,
    #[serde(default)]
    pub(crate) use_expiry_from_token: bool,
}

/// What kind of provider it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Preset {
    Oidc,
    GitHub,
    Google,
    Entra,
    Okta,
    Auth0,
    Keycloak,
    GitLab,
    Authentik,
    Dex,
}

/// A text that does not print.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct ClientSecret(String);

/// A provider, checked as far as that goes without asking it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProviderSettings {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) place: ProviderPlace,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<ClientSecret>,
    pub(crate) scopes: Vec<String>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) allowed_domains: Vec<String>,
    pub(crate) allowed_users: Vec<String>,
    pub(crate) allowed_groups: Vec<String>,
    pub(crate) require_second_factor: bool,
    pub(crate) use_expiry_from_token: bool,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProviderPlace {
    Oidc { issuer: String },
    GitHub { api: String, web: String, organisations: Vec<String> },
}

impl ClientSecret {
    /// For the provider, and nobody else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret")
    }
}

impl Preset {
    /// What its button says if nobody says otherwise; `None`: its name.
    fn title(self) -> Option<&'static str> {
        match self {
            Self::Oidc | Self::Keycloak | Self::Authentik | Self::Dex => None,
            Self::GitHub => Some("GitHub"),
            Self::Google => Some("Google"),
            Self::Entra => Some("Microsoft"),
            Self::Okta => Some("Okta"),
            Self::Auth0 => Some("Auth0"),
            Self::GitLab => Some("GitLab"),
        }
    }

    /// Its issuer, where there is one for all.
    fn issuer(self) -> Option<&'static str> {
        match self {
            Self::Google => Some("https://accounts.google.com"),
            Self::GitLab => Some("https://gitlab.com"),
            _ => None,
        }
    }

    /// What an issuer of it looks like.
    fn issuer_example(self) -> &'static str {
        match self {
            Self::Entra => "https://login.microsoftonline.com/TENANT-ID/v2.0",
            Self::Okta => "https://example.okta.com",
            Self::Auth0 => "https://example.eu.auth0.com/",
            Self::Keycloak => "https://id.example.com/realms/NAME",
            Self::Authentik => "https://id.example.com/application/o/NAME/",
            Self::Dex => "https://id.example.com/dex",
            Self::Oidc | Self::GitHub | Self::Google | Self::GitLab => "https://id.example.com",
        }
    }

    /// Scopes that give e-mail, name and, where a scope is needed for them, groups.
    fn scopes(self) -> &'static [&'static str] {
        match self {
            // Organisations and teams are visible with the last one only.
            Self::GitHub => &["read:user", "user:email", "read:org"],
            Self::Okta | Self::Dex => &["openid", "email", "profile", "groups"],
            _ => &["openid", "email", "profile"],
        }
    }
}

/// All of them, or what is wrong with the first that is wrong.
pub(super) fn checked(sections: Vec<ProviderSection>) -> anyhow::Result<Vec<ProviderSettings>> {
    ensure!(sections.len() <= PROVIDERS_MAX, "there are at most {PROVIDERS_MAX} providers");
    let mut names = BTreeSet::new();
    let mut providers = Vec::new();
    for section in sections {
        let name = section.name.clone();
        check_name(&name)?;
        ensure!(names.insert(name.clone()), "two providers are called {name:?}: each needs a name of its own");
        providers.push(section.checked().with_context(|| format!("provider {name:?}"))?);
    }
    Ok(providers)
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    ensure!(
        letters && (1..=NAME_BYTES_MAX).contains(&name.len()),
        "a provider cannot be called {name:?}: 1 to {NAME_BYTES_MAX} lowercase letters, digits and hyphens"
    );
    Ok(())
}

impl ProviderSection {
    fn checked(self) -> anyhow::Result<ProviderSettings> {
        ensure!(
            !self.client_id.trim().is_empty(),
            "client_id is empty: the provider shows it where Wattle is registered"
        );
        for (key, list) in [
            ("scopes", self.scopes.as_deref().unwrap_or_default()),
            ("organisations", &self.organisations),
            ("allowed_domains", &self.allowed_domains),
            ("allowed_users", &self.allowed_users),
            ("allowed_groups", &self.allowed_groups),
        ] {
            ensure!(list.len() <= LIST_MAX, "{key} has more than {LIST_MAX} entries");
            let entry = |text: &String| !text.trim().is_empty() && text.len() <= TEXT_BYTES_MAX;
            ensure!(list.iter().all(entry), "{key} has an entry that is empty or too long");
        }
        if let Some(domain) = self.allowed_domains.iter().find(|domain| domain.contains('@') || !domain.contains('.')) {
            bail!("{domain:?} in allowed_domains is no domain of e-mail addresses: write it as \"example.com\"");
        }
        let place = self.place()?;
        let client_secret = self.secret()?;
        if self.kind == Preset::GitHub {
            ensure!(client_secret.is_some(), "GitHub needs client_secret_file or client_secret");
            ensure!(!self.use_expiry_from_token, "use_expiry_from_token is not possible: GitHub's tokens have no end");
        }
        let scopes = self.scopes.unwrap_or_else(|| self.kind.scopes().iter().map(|&scope| scope.to_owned()).collect());
        if matches!(place, ProviderPlace::Oidc { .. }) {
            ensure!(
                scopes.iter().any(|scope| scope == "openid"),
                "scopes must have \"openid\", else nobody is vouched for"
            );
        }
        if let Some(path) = &self.ca_file {
            std::fs::metadata(path).with_context(|| format!("cannot read ca_file {}", path.display()))?;
        }
        let title = self.title.or_else(|| self.kind.title().map(str::to_owned)).unwrap_or_else(|| self.name.clone());
        ensure!(!title.trim().is_empty() && title.chars().count() <= 60, "title must have 1 to 60 characters");
        Ok(ProviderSettings {
            name: self.name,
            title,
            place,
            client_id: self.client_id,
            client_secret,
            scopes,
            ca_file: self.ca_file,
            allowed_domains: self.allowed_domains,
            allowed_users: self.allowed_users,
            allowed_groups: self.allowed_groups,
            require_second_factor: self.require_second_factor,
            use_expiry_from_token: self.use_expiry_from_token,
        })
    }

    fn place(&self) -> anyhow::Result<ProviderPlace> {
        if self.kind == Preset::GitHub {
            ensure!(self.issuer.is_none(), "issuer is not for GitHub: api and web say where a GitHub Enterprise is");
            ensure!(self.api.is_some() == self.web.is_some(), "a GitHub Enterprise needs both api and web");
            let address = |given: &Option<String>, key, usual: &str| match given {
                Some(text) => checked_address(key, text).map(|()| text.trim_end_matches('/').to_owned()),
                None => Ok(usual.to_owned()),
            };
            return Ok(ProviderPlace::GitHub {
                api: address(&self.api, "api", "https://api.github.com")?,
                web: address(&self.web, "web", "https://github.com")?,
                organisations: self.organisations.clone(),
            });
        }
        ensure!(self.api.is_none() && self.web.is_none(), "api and web are for kind = \"github\" only");
        ensure!(self.organisations.is_empty(), "organisations is for kind = \"github\" only: use allowed_groups");
        let example = self.kind.issuer_example();
        let issuer = self.issuer.as_deref().or(self.kind.issuer());
        let issuer = issuer.with_context(|| format!("issuer is missing; it looks like {example:?}"))?;
        checked_address("issuer", issuer)?;
        // Kept as written: what the provider says must be the same to the letter, slash and all.
        Ok(ProviderPlace::Oidc { issuer: issuer.to_owned() })
    }

    fn secret(&self) -> anyhow::Result<Option<ClientSecret>> {
        let secret = match (&self.client_secret, &self.client_secret_file) {
            (Some(_), Some(_)) => bail!("client_secret and client_secret_file are both there: keep one"),
            (None, None) => return Ok(None),
            (Some(secret), None) => secret.0.clone(),
            (None, Some(path)) => read_secret(path)?,
        };
        ensure!(!secret.is_empty() && secret.len() <= TEXT_BYTES_MAX, "the client secret is empty or too long");
        Ok(Some(ClientSecret(secret)))
    }
}

/// The first line of a small file.
fn read_secret(path: &Path) -> anyhow::Result<String> {
    use std::io::Read;
    let file =
        std::fs::File::open(path).with_context(|| format!("cannot read client_secret_file {}", path.display()))?;
    let mut text = String::new();
    let read = file.take(TEXT_BYTES_MAX as u64 + 1).read_to_string(&mut text);
    read.with_context(|| format!("cannot read client_secret_file {}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// Secrets and identities go there: it must be https, or stay on this machine.
fn checked_address(key: &str, text: &str) -> anyhow::Result<()> {
    let url: Option<axum::http::Uri> = text.parse().ok().filter(|_| text.len() <= TEXT_BYTES_MAX);
    let (Some(scheme), Some(authority)) = (
        url.as_ref().and_then(|url| url.scheme_str()),
        url.as_ref().and_then(|url| url.authority()).filter(|authority| !authority.as_str().contains('@')),
    ) else {
        bail!("{key} {text:?} is no address: it begins with https://");
    };
    ensure!(url.as_ref().is_some_and(|url| url.query().is_none()) && !text.contains('#'), "{key} {text:?} has a query");
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let on_this_machine = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    ensure!(
        scheme == "https" || scheme == "http" && on_this_machine,
        "{key} {text:?} must begin with https://: anybody on the way could sign in as anybody"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigFile;

    fn providers(text: &str) -> anyhow::Result<Vec<ProviderSettings>> {
        checked(ConfigFile::parse(text).map_err(|(_, _, problem)| anyhow::anyhow!(problem))?.providers)
    }

    fn one(lines: &str) -> anyhow::Result<ProviderSettings> {
        Ok(providers(&format!("[[providers]]\nname = \"x\"\nclient_id = \"wattle\"\n{lines}"))?.remove(0))
    }

    #[test]
    fn a_preset_fills_in_what_its_service_expects() {
        let google = one("kind = \"google\"").unwrap();
        assert_eq!(google.place, ProviderPlace::Oidc { issuer: "https://accounts.google.com".to_owned() });
        assert_eq!((google.title.as_str(), google.scopes.len()), ("Google", 3));
        let dex = one("kind = \"dex\"\nissuer = \"https://id.example.com/dex\"").unwrap();
        assert_eq!((dex.title.as_str(), dex.scopes.contains(&"groups".to_owned())), ("x", true));
        let github = one("kind = \"github\"\nclient_secret = \"s\"\norganisations = [\"acme\"]").unwrap();
        let ProviderPlace::GitHub { api, organisations, .. } = github.place else { panic!("not GitHub") };
        assert_eq!((api.as_str(), organisations.len()), ("https://api.github.com", 1));
        let own = one("kind = \"auth0\"\nissuer = \"https://x.auth0.com/\"\nscopes = [\"openid\"]").unwrap();
        assert_eq!(own.place, ProviderPlace::Oidc { issuer: "https://x.auth0.com/".to_owned() });
        assert_eq!(own.scopes, ["openid"]);
    }

    #[test]
    fn a_secret_is_read_from_its_file_and_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").unwrap();
        let provider = one(&format!("kind = \"google\"\nclient_secret_file = {path:?}")).unwrap();
        assert_eq!(provider.client_secret.as_ref().map(ClientSecret::reveal), Some("hunter2"));
        assert!(!format!("{provider:?}").contains("hunter2"));
        std::fs::write(&path, "\n").unwrap();
        assert!(one(&format!("kind = \"google\"\nclient_secret_file = {path:?}")).is_err());
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        for (lines, word) in [
            ("kind = \"oidc\"", "issuer is missing"),
            ("kind = \"entra\"", "login.microsoftonline.com"),
            ("kind = \"oidc\"\nissuer = \"http://id.example.com\"", "https://"),
            ("kind = \"oidc\"\nissuer = \"id.example.com\"", "https://"),
            ("kind = \"oidc\"\nissuer = \"https://a@b\"", "no address"),
            ("kind = \"oidc\"\nissuer = \"https://id.example.com/?x=1\"", "query"),
            ("kind = \"google\"\nclient_secret_file = \"/nowhere/at/all\"", "/nowhere/at/all"),
            ("kind = \"google\"\nclient_secret_file = \"/x\"\nclient_secret = \"y\"", "both"),
            ("kind = \"google\"\nclient_secret = \"\"", "empty"),
            ("kind = \"google\"\nscopes = [\"email\"]", "openid"),
            ("kind = \"google\"\norganisations = [\"acme\"]", "github"),
            ("kind = \"google\"\nallowed_domains = [\"bob@example.com\"]", "domain"),
            ("kind = \"google\"\nallowed_users = [\"\"]", "allowed_users"),
            ("kind = \"google\"\nca_file = \"/nowhere\"", "ca_file"),
            ("kind = \"github\"", "client_secret"),
            ("kind = \"github\"\nclient_secret = \"s\"\nissuer = \"https://x\"", "issuer"),
            ("kind = \"github\"\nclient_secret = \"s\"\napi = \"https://x\"", "both"),
            ("kind = \"github\"\nclient_secret = \"s\"\nuse_expiry_from_token = true", "no end"),
            ("kind = \"myspace\"", "unknown variant"),
        ] {
            let problem = format!("{:#}", one(lines).unwrap_err());
            assert!(problem.contains(word), "{lines}: {problem}");
        }
        for local in ["http://127.0.0.1:9000", "http://localhost:9000/x", "http://[::1]:9000"] {
            assert!(one(&format!("kind = \"oidc\"\nissuer = \"{local}\"")).is_ok(), "{local}");
        }
    }

    #[test]
    fn names_are_of_use_in_addresses_and_one_of_a_kind() {
        let table = |name: &str| format!("[[providers]]\nname = \"{name}\"\nkind = \"google\"\nclient_id = \"c\"\n");
        for wrong in ["", "Corp", "a/b", "a b", "é", &"a".repeat(33)] {
            assert!(providers(&table(wrong)).is_err(), "{wrong}");
        }
        assert!(providers(&(table("a") + &table("a"))).unwrap_err().to_string().contains("name of its own"));
        assert_eq!(providers(&(table("a") + &table("b-2"))).unwrap().len(), 2);
        let many: String = (0..17).map(|number| table(&format!("p{number}"))).collect();
        assert!(providers(&many).is_err());
    }
}
