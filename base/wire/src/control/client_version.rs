//! What control says about the client's own version, and its switches for it.

use serde::{Deserialize, Serialize};

use crate::go::omit;

/// Whether the client is up to date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ClientVersion {
    /// It runs the newest version.
    #[serde(skip_serializing_if = "omit")]
    pub running_latest: bool,
    /// The newest version.
    #[serde(skip_serializing_if = "omit")]
    pub latest_version: String,
    /// The newest version closes a hole.
    #[serde(skip_serializing_if = "omit")]
    pub urgent_security_update: bool,
    /// Whether people should be told.
    #[serde(skip_serializing_if = "omit")]
    pub notify: bool,
    /// Where to read more.
    #[serde(rename = "NotifyURL", skip_serializing_if = "omit")]
    pub notify_url: String,
    /// What to say.
    #[serde(skip_serializing_if = "omit")]
    pub notify_text: String,
}

/// Switches that control may set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Debug {
    /// Pause before the next message of the stream is handled.
    #[serde(skip_serializing_if = "omit")]
    pub sleep_seconds: f64,
    /// Send no logs to the vendor. We never do.
    #[serde(skip_serializing_if = "omit")]
    pub disable_log_tail: bool,
    /// End the process with this code.
    #[serde(skip_serializing_if = "omit")]
    pub exit: Option<i64>,
}
