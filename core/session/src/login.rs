//! Where we stand: the states of signing in.

use wattle_keys::NodePrivate;

use crate::out::RequestId;

/// Our standing, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not a member, and nothing is being done about it.
    SignedOut,
    /// A person must open a page.
    WaitingForBrowser {
        /// The page.
        url: String,
    },
    /// A member whom an administrator has not let in yet.
    WaitingForApproval,
    /// A member.
    Member,
    /// A member whose key has expired: sign in again.
    Expired,
}

/// How to sign in.
#[derive(Clone, Debug, Default)]
pub struct LoginOptions {
    /// A key that an administrator made; without one a person opens a page.
    pub auth_key: Option<String>,
    /// Make a new node key although we have one.
    pub fresh_key: bool,
}

/// What is being done about our standing.
#[derive(Debug)]
pub(crate) enum Login {
    /// Nothing.
    Idle,
    /// A registration is due as soon as there is a connection, or on its way.
    Registering(Attempt),
    /// Registered. The stream may run.
    Done,
}

/// One attempt to register.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// A key that the server has not taken yet; `None`: the key that we have.
    pub(crate) new_key: Option<NodePrivate>,
    pub(crate) auth_key: Option<String>,
    /// The page that a person must open; asking again with it waits for them.
    pub(crate) followup: Option<String>,
    /// The request on its way.
    pub(crate) request: Option<RequestId>,
    /// How many keys the server called expired in a row.
    pub(crate) keys_refused: u32,
}

impl Attempt {
    pub(crate) const fn new(new_key: Option<NodePrivate>, auth_key: Option<String>) -> Self {
        Self { new_key, auth_key, followup: None, request: None, keys_refused: 0 }
    }
}
