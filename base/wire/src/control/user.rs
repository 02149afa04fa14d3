//! People, as control describes them.

use serde::{Deserialize, Serialize};
use wattle_time::UnixTime;

use crate::go::{self, omit};

/// The user that a registration belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct User {
    /// Number.
    #[serde(rename = "ID")]
    pub id: u64,
    /// Name for people.
    pub display_name: String,
    /// Picture.
    #[serde(rename = "ProfilePicURL", skip_serializing_if = "omit")]
    pub profile_pic_url: String,
    /// Since when.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub created: Option<UnixTime>,
}

/// How the user signed in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Login {
    /// Number.
    #[serde(rename = "ID")]
    pub id: u64,
    /// Who vouches for them.
    pub provider: String,
    /// As they sign in.
    pub login_name: String,
    /// Name for people.
    pub display_name: String,
    /// Picture.
    #[serde(rename = "ProfilePicURL", skip_serializing_if = "omit")]
    pub profile_pic_url: String,
}

/// What nodes are told of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UserProfile {
    /// Number.
    #[serde(rename = "ID")]
    pub id: u64,
    /// As they sign in.
    pub login_name: String,
    /// Name for people.
    pub display_name: String,
    /// Picture.
    #[serde(rename = "ProfilePicURL", skip_serializing_if = "omit")]
    pub profile_pic_url: String,
    /// Groups.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub groups: Vec<String>,
}
