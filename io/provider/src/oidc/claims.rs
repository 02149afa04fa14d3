//! What a provider says of a person, in its ID token or beside it.

use openidconnect::{AdditionalClaims, LocalizedClaim};
use serde::{Deserialize, Serialize};

use super::{Claims, UserInfo};

/// Claims beyond the standard ones.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct More {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    groups: Option<Groups>,
}

impl AdditionalClaims for More {}

/// Providers tell a list, one name, or something else that is no group.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Groups {
    Many(Vec<String>),
    One(String),
    Other(serde_json::Value),
}

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Said {
    email: Option<String>,
    email_verified: bool,
    pub(super) name: Option<String>,
    pub(super) picture: Option<String>,
    pub(super) preferred: Option<String>,
    pub(super) groups: Option<Vec<String>>,
}

impl Said {
    pub(super) fn of_token(claims: &Claims) -> Self {
        Self {
            email: claims.email().map(|email| email.to_string()),
            email_verified: claims.email_verified() == Some(true),
            name: plain(claims.name()),
            picture: plain(claims.picture()),
            preferred: claims.preferred_username().map(|name| name.to_string()),
            groups: claims.additional_claims().groups(),
        }
    }

    pub(super) fn of_user_info(claims: &UserInfo) -> Self {
        Self {
            email: claims.email().map(|email| email.to_string()),
            email_verified: claims.email_verified() == Some(true),
            name: plain(claims.name()),
            picture: plain(claims.picture()),
            preferred: claims.preferred_username().map(|name| name.to_string()),
            groups: claims.additional_claims().groups(),
        }
    }

    /// Whether it is worth asking for more.
    pub(super) fn is_wanting(&self) -> bool {
        self.email.is_none() || self.name.is_none() || self.groups.is_none()
    }

    /// Takes over what was not said yet. The address and whether it is verified belong together.
    pub(super) fn complete(&mut self, more: Self) {
        if self.email.is_none() {
            (self.email, self.email_verified) = (more.email, more.email_verified);
        }
        self.name = self.name.take().or(more.name);
        self.picture = self.picture.take().or(more.picture);
        self.preferred = self.preferred.take().or(more.preferred);
        self.groups = self.groups.take().or(more.groups);
    }

    pub(super) fn verified_email(&self) -> Option<String> {
        self.email.clone().filter(|_| self.email_verified)
    }
}

impl More {
    fn groups(&self) -> Option<Vec<String>> {
        match self.groups.as_ref()? {
            Groups::Many(names) => Some(names.clone()),
            Groups::One(name) => Some(vec![name.clone()]),
            Groups::Other(_) => None,
        }
    }
}

/// Whether the provider says that a second factor was used: by RFC 8176, or by the classes that providers name.
pub(super) fn used_second_factor(claims: &Claims) -> bool {
    // `face` and `fpt` may stand alone in place of a password, so they are none.
    const METHODS: [&str; 4] = ["mfa", "otp", "hwk", "sc"];
    const CLASSES: [&str; 3] = [
        "http://schemas.openid.net/pape/policies/2007/06/multi-factor",
        "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken",
        "phrh",
    ];
    let methods = claims.auth_method_refs().into_iter().flatten().any(|method| METHODS.contains(&method.as_str()));
    methods || claims.auth_context_ref().is_some_and(|class| CLASSES.contains(&class.as_str()))
}

/// The text without a language, or any.
fn plain<T: std::ops::Deref<Target = String>>(claim: Option<&LocalizedClaim<T>>) -> Option<String> {
    let claim = claim?;
    let first = || claim.iter().next().map(|(_, text)| text);
    claim.get(None).or_else(first).map(|text| text.deref().clone())
}
