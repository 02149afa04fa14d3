//! What control wants people to read (from capability version 117).

use serde::{Deserialize, Serialize};

use crate::go::omit;

/// A message for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DisplayMessage {
    /// One line.
    pub title: String,
    /// The rest.
    pub text: String,
    /// `high`, `medium` or `low`.
    pub severity: String,
    /// Whether it is the reason that something cannot be reached.
    #[serde(skip_serializing_if = "omit")]
    pub impacts_connectivity: bool,
    /// What can be done about it.
    #[serde(skip_serializing_if = "omit")]
    pub primary_action: Option<DisplayMessageAction>,
}

/// A link that helps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DisplayMessageAction {
    /// Where to.
    #[serde(rename = "URL")]
    pub url: String,
    /// What it is called.
    pub label: String,
}
