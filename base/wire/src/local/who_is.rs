//! Who stands behind an address.

use serde::{Deserialize, Serialize};

use crate::control::{CapMap, Node, UserProfile};
use crate::go;

/// The answer to `GET whois`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WhoIsResponse {
    /// The node.
    pub node: Option<Box<Node>>,
    /// Its user.
    pub user_profile: Option<UserProfile>,
    /// What it may do here.
    #[serde(deserialize_with = "go::nullable_lists")]
    pub cap_map: CapMap,
}
