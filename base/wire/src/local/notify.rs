//! The stream of events that `up` and user interfaces follow (`watch-ipn-bus`), and how a login starts.

use serde::{Deserialize, Serialize};

use super::{Prefs, Status};
use crate::control::ClientVersion;
use crate::go::omit;

/// What a watcher wants first, as bits of `?mask=`.
pub mod watch {
    /// The present state.
    pub const INITIAL_STATE: u64 = 1 << 1;
    /// The present preferences.
    pub const INITIAL_PREFS: u64 = 1 << 2;
    /// The present status.
    pub const INITIAL_STATUS: u64 = 1 << 14;
}

/// One event. What is absent did not change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Notify {
    /// Version of the daemon.
    pub version: String,
    /// Names this watch; in the first event only.
    #[serde(rename = "SessionID", skip_serializing_if = "omit")]
    pub session_id: String,
    /// Something went wrong, in a sentence.
    #[serde(skip_serializing_if = "omit")]
    pub err_message: Option<String>,
    /// A login has succeeded.
    #[serde(skip_serializing_if = "omit")]
    pub login_finished: Option<LoginFinished>,
    /// The state changed.
    #[serde(skip_serializing_if = "omit")]
    pub state: Option<State>,
    /// The preferences changed.
    #[serde(skip_serializing_if = "omit")]
    pub prefs: Option<Prefs>,
    /// The status at the start of the watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_status: Option<Box<Status>>,
    /// A page that a person must open.
    #[serde(rename = "BrowseToURL", skip_serializing_if = "omit")]
    pub browse_to_url: Option<String>,
    /// Whether the client is up to date.
    #[serde(skip_serializing_if = "omit")]
    pub client_version: Option<ClientVersion>,
}

/// An empty object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginFinished {}

/// The daemon's state. A number in events, a word in [`Status`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[expect(clippy::enum_variant_names, reason = "the official names")]
pub enum State {
    /// Just started.
    #[default]
    NoState = 0,
    /// Another user's.
    InUseOtherUser = 1,
    /// Somebody must log in.
    NeedsLogin = 2,
    /// An administrator must approve.
    NeedsMachineAuth = 3,
    /// Down.
    Stopped = 4,
    /// On the way up.
    Starting = 5,
    /// Up.
    Running = 6,
}

impl State {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoState => "NoState",
            Self::InUseOtherUser => "InUseOtherUser",
            Self::NeedsLogin => "NeedsLogin",
            Self::NeedsMachineAuth => "NeedsMachineAuth",
            Self::Stopped => "Stopped",
            Self::Starting => "Starting",
            Self::Running => "Running",
        }
    }
}

impl From<State> for u8 {
    fn from(state: State) -> Self {
        state as Self
    }
}

impl TryFrom<u8> for State {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        let all = [
            Self::NoState,
            Self::InUseOtherUser,
            Self::NeedsLogin,
            Self::NeedsMachineAuth,
            Self::Stopped,
            Self::Starting,
            Self::Running,
        ];
        all.into_iter().find(|state| *state as u8 == number).ok_or_else(|| format!("{number} is no state"))
    }
}

/// How to start (`POST start`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Options {
    /// Preferences to set first.
    pub update_prefs: Option<Prefs>,
    /// A key to log in with.
    pub auth_key: String,
}
