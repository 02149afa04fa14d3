//! Why a command was not obeyed: each a sentence for the person who will read it.

use wattle_netmap::{NodeId, UserId};
use wattle_policy::{Failure, Problems};

use crate::record::AuthKeyId;

/// Nothing was changed, because ...
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The client does not speak the protocol as we do.
    #[error(
        "this client is too old for this server (capability version {version}, at least {oldest} is needed): \
         update it to Tailscale 1.80 or later"
    )]
    ClientTooOld {
        /// What it speaks.
        version: u16,
        /// What is needed.
        oldest: u16,
    },
    /// No such auth key.
    #[error("this auth key is not known here: make one with \"wattle-control keys create\"")]
    UnknownAuthKey,
    /// Its time is over.
    #[error("this auth key has expired: make a new one")]
    AuthKeyExpired,
    /// An administrator revoked it.
    #[error("this auth key has been revoked: make a new one")]
    AuthKeyRevoked,
    /// It worked once.
    #[error("this auth key was for one use and has been used: make a new or a reusable one")]
    AuthKeyUsed,
    /// Tags asked for without the right to.
    #[error("requested tags [{}] are invalid or not permitted", .0.join(" "))]
    TagsNotPermitted(Vec<String>),
    /// A tag that does not exist.
    #[error("\"{0}\" is not a tag that the policy defines")]
    UnknownTag(String),
    /// More tags than any node needs.
    #[error("a node or key has at most {} tags", crate::limits::TAGS_MAX)]
    TooManyTags,
    /// Tags cannot be taken away: the node would belong to nobody.
    #[error("a tagged node needs at least one tag: it has no user to fall back to until it registers anew")]
    NoTags,
    /// A key that says nothing about its nodes.
    #[error("an auth key needs a user or tags, else nobody would own its nodes")]
    KeyOwnsNothing,
    /// The zero key.
    #[error("a node key is missing")]
    NoNodeKey,
    /// The node key belongs to another machine.
    #[error("this node key belongs to another machine")]
    NotYourKey,
    /// The node belongs to another user.
    #[error("this node belongs to another user: log out on it first")]
    NodeOfAnother,
    /// The number of a node that is not there.
    #[error("there is no node {}", .0.0)]
    UnknownNode(NodeId),
    /// The key of a node that is not there.
    #[error("this node is not registered here")]
    UnknownNodeKey,
    /// The number of a user who is not there.
    #[error("there is no user {}", .0.0)]
    UnknownUser(UserId),
    /// The number of an auth key that is not there.
    #[error("there is no auth key {}", .0.0)]
    UnknownKeyNumber(AuthKeyId),
    /// A registration that has ended or never was.
    #[error("no machine waits under this name: it was let in, turned away, or has waited too long")]
    UnknownRegistration,
    /// The name of another user.
    #[error("there is already a user \"{0}\"")]
    UserExists(String),
    /// A name that is none.
    #[error("\"{0}\" cannot be a user's name: it must have 1 to 255 characters and no spaces")]
    BadUserName(String),
    /// A name that no resolver would accept.
    #[error("\"{0}\" cannot be a node's name: letters, digits and dashes, at most 63")]
    BadNodeName(String),
    /// The name of another node.
    #[error("there is already a node \"{0}\"")]
    NodeNameTaken(String),
    /// They are kept out.
    #[error("{0} is suspended here: an administrator can restore them")]
    Suspended(String),
    /// The name belongs to somebody who signs in otherwise.
    #[error(
        "\"{0}\" already belongs to somebody who signs in with another identity: sign in as you did before, or ask an \
         administrator to rename that user"
    )]
    NameOfAnother(String),
    /// An invitation is for who proves the e-mail address.
    #[error(
        "\"{0}\" is reserved here, and your provider does not vouch that this is your e-mail address: verify it there, or \
         ask an administrator"
    )]
    NotProven(String),
    /// What a provider says of somebody is too long, or nothing.
    #[error(
        "the identity provider's name for you is empty or longer than {} characters",
        crate::limits::IDENTITY_CHARS_MAX
    )]
    BadIdentity,
    /// Users with nodes are kept.
    #[error("user {} still has {} nodes: delete those first, or with the user", .0.0, .1)]
    UserHasNodes(UserId, usize),
    /// The policy is wrong.
    #[error(transparent)]
    Policy(#[from] Problems),
    /// The policy's tests would fail.
    #[error("the policy's tests would fail: {}", sentences(.0))]
    PolicyTests(Vec<Failure>),
    /// Somebody else was quicker.
    #[error("the policy was changed meanwhile: revision {current} is in force, not {expected}")]
    PolicyMoved {
        /// What the author has seen.
        expected: u64,
        /// What is in force.
        current: u64,
    },
    /// Somebody must be in charge.
    #[error("the tailnet would have no owner: make somebody else its owner first")]
    LastOwner,
    /// More routes than any router needs.
    #[error("a node has at most {} approved routes", crate::limits::HOST_LIST_MAX)]
    TooManyRoutes,
    /// An SSH check that has ended or never was.
    #[error("nobody waits under this name: they were let in, turned away, or have waited too long")]
    UnknownSshCheck,
    /// The policy says where addresses come from, and there are no more.
    #[error("no address is left in the pools that the policy has for this node: widen its ipPool")]
    PoolFull,
    /// There is no room.
    #[error("the tailnet is full: it holds at most {0} {1}")]
    Full(usize, &'static str),
}

/// What sort of refusal it is: for status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request makes no sense.
    Invalid,
    /// It is about something that is not there.
    NotFound,
    /// It contradicts what is there.
    Conflict,
    /// The one who asks may not.
    Forbidden,
    /// There is no room.
    Full,
}

impl Refusal {
    /// What sort it is.
    pub fn kind(&self) -> RefusalKind {
        match self {
            Self::ClientTooOld { .. }
            | Self::UnknownTag(_)
            | Self::TooManyTags
            | Self::NoTags
            | Self::KeyOwnsNothing
            | Self::NoNodeKey
            | Self::BadUserName(_)
            | Self::BadIdentity
            | Self::BadNodeName(_)
            | Self::Policy(_)
            | Self::PolicyTests(_)
            | Self::TooManyRoutes => RefusalKind::Invalid,
            Self::UnknownAuthKey
            | Self::AuthKeyExpired
            | Self::AuthKeyRevoked
            | Self::AuthKeyUsed
            | Self::TagsNotPermitted(_)
            | Self::Suspended(_)
            | Self::NotProven(_)
            | Self::NodeOfAnother
            | Self::NotYourKey => RefusalKind::Forbidden,
            Self::UnknownNode(_)
            | Self::UnknownNodeKey
            | Self::UnknownUser(_)
            | Self::UnknownKeyNumber(_)
            | Self::UnknownRegistration
            | Self::UnknownSshCheck => RefusalKind::NotFound,
            Self::UserExists(_)
            | Self::NameOfAnother(_)
            | Self::NodeNameTaken(_)
            | Self::UserHasNodes(..)
            | Self::PolicyMoved { .. }
            | Self::LastOwner => RefusalKind::Conflict,
            Self::Full(..) | Self::PoolFull => RefusalKind::Full,
        }
    }
}

fn sentences(failures: &[Failure]) -> String {
    failures.iter().map(|failure| failure.message.as_str()).collect::<Vec<_>>().join("; ")
}
