//! What can be asked of a tailnet, and the answers.

use wattle_identity::Profile;
use wattle_keys::{DiscoPublic, MachinePublic, NodePublic};
use wattle_netmap::{DerpMap, Endpoint, HostFacts, NodeId, Prefix, User, UserId};
use wattle_policy::language::document::Role;
use wattle_time::UnixTime;

use crate::change::Change;
use crate::record::{AuthId, AuthKeyId, Settings, StreamId};

/// What is wanted.
#[derive(Clone, Debug)]
pub enum Command {
    /// A machine wants to join, stay or leave.
    Register(Box<Register>),
    /// A node tells what it is like (a lite update).
    Report(Box<Report>),
    /// A node opens its map stream. What it tells on the way fills in what we don't know, after a restart.
    Connect(Box<Report>),
    /// A map stream ended.
    Disconnect {
        /// Whose.
        node: NodeId,
        /// Which: a stream that was replaced changes nothing.
        stream: StreamId,
    },
    /// Somebody has signed in with an identity provider, which vouches for this.
    SignIn(Box<Profile>),
    /// A person, or an administrator for them, lets a waiting machine in.
    Approve {
        /// Which registration.
        auth_id: AuthId,
        /// Whose node it becomes.
        user: UserId,
        /// When its key expires; `None`: as is usual here.
        key_expiry: Option<UnixTime>,
    },
    /// Let a node take part that waits for an administrator's approval.
    ApproveNode {
        /// Which.
        node: NodeId,
    },
    /// An administrator turns a waiting machine away.
    Decline {
        /// Which registration.
        auth_id: AuthId,
    },
    /// Name a node.
    RenameNode {
        /// Which.
        node: NodeId,
        /// The name; `None`: follow the host name again.
        name: Option<String>,
    },
    /// Tag a node. It stops belonging to its user.
    SetTags {
        /// Which.
        node: NodeId,
        /// All its tags, at least one.
        tags: Vec<String>,
    },
    /// Say when a node's key expires.
    ExpireNode {
        /// Which.
        node: NodeId,
        /// When; `None`: never.
        at: Option<UnixTime>,
    },
    /// Remove a node.
    DeleteNode {
        /// Which.
        node: NodeId,
    },
    /// Make a user known.
    CreateUser {
        /// As policies and lists name them.
        login_name: String,
        /// As they are called; empty: the same.
        display_name: String,
    },
    /// Name a user.
    RenameUser {
        /// Which.
        user: UserId,
        /// The new login name.
        login_name: String,
    },
    /// Say what a user may do in the tailnet.
    SetRole {
        /// Which.
        user: UserId,
        /// From now on.
        role: Role,
    },
    /// Keep a user and their nodes out until they are restored.
    SuspendUser {
        /// Which.
        user: UserId,
    },
    /// Let a suspended user and their nodes back in.
    RestoreUser {
        /// Which.
        user: UserId,
    },
    /// Remove a user and their auth keys. Tagged nodes that they registered stay.
    DeleteUser {
        /// Which.
        user: UserId,
        /// Whether their nodes go too; else who has nodes is kept.
        with_nodes: bool,
    },
    /// Make an auth key.
    CreateAuthKey(NewAuthKey),
    /// Stop an auth key from working.
    RevokeAuthKey {
        /// Which.
        key: AuthKeyId,
    },
    /// Say how the tailnet is run.
    SetSettings(Settings),
    /// Put a policy in force.
    SetPolicy(Box<NewPolicy>),
    /// Say which routes a node may serve.
    ApproveRoutes {
        /// Which node.
        node: NodeId,
        /// All that it may serve from now on. One default route stands for both.
        routes: Vec<Prefix>,
    },
    /// A node asks whether somebody may log in to it by SSH.
    CheckSsh(Box<SshQuestion>),
    /// An administrator lets somebody log in by SSH.
    ApproveSsh {
        /// Which check.
        auth_id: AuthId,
    },
    /// An administrator turns somebody away who wants to log in by SSH.
    DeclineSsh {
        /// Which check.
        auth_id: AuthId,
    },
    /// Say which relays there are.
    SetRelays(DerpMap),
    /// Time has passed.
    Tick,
    /// Have what is hot written now, before a clean stop.
    SaveReach,
}

/// A machine's request to join. The control channel has proven that it holds the machine key.
#[derive(Clone, Debug)]
pub struct Register {
    /// The machine.
    pub machine: MachinePublic,
    /// The key that its node shall have.
    pub node_key: NodePublic,
    /// The key that it had.
    pub old_node_key: Option<NodePublic>,
    /// An auth key's secret.
    pub auth_key: Option<String>,
    /// The registration whose end it waits for.
    pub followup: Option<AuthId>,
    /// When it wants its key to expire: in the past to log out.
    pub expiry: Option<UnixTime>,
    /// Whether it wants to be ephemeral.
    pub ephemeral: bool,
    /// What it says about its host.
    pub host: HostFacts,
    /// Capability version of its client.
    pub capability_version: u16,
}

/// What a node tells about itself.
#[derive(Clone, Debug)]
pub struct Report {
    /// The machine, as the control channel has proven.
    pub machine: MachinePublic,
    /// The node.
    pub node_key: NodePublic,
    /// Capability version of its client.
    pub capability_version: u16,
    /// Path discovery key.
    pub disco: Option<DiscoPublic>,
    /// Underlay addresses; `None`: not told.
    pub endpoints: Option<Vec<Endpoint>>,
    /// Its host; without `net`: what was measured is unchanged.
    pub host: Option<HostFacts>,
}

/// A policy that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct NewPolicy {
    /// HuJSON.
    pub text: String,
    /// Who wants it; empty: not known.
    pub author: String,
    /// Why, in their words.
    pub note: String,
    /// The revision that they have seen: another one in force now refuses theirs.
    pub expected: Option<u64>,
}

/// Whether somebody may log in by SSH.
#[derive(Clone, Debug)]
pub struct SshQuestion {
    /// The machine that asks, as the control channel has proven.
    pub machine: MachinePublic,
    /// Where they come from.
    pub from: NodeId,
    /// Where they want to log in: the node that asks.
    pub to: NodeId,
    /// As whom there.
    pub local_user: String,
    /// The check that was begun for this session.
    pub auth_id: Option<AuthId>,
}

/// What a new auth key shall do.
#[derive(Clone, Debug, Default)]
pub struct NewAuthKey {
    /// Whose nodes it makes; may be missing when it tags.
    pub user: Option<UserId>,
    /// Tags that its nodes get.
    pub tags: Vec<String>,
    /// Whether it works more than once.
    pub reusable: bool,
    /// Whether its nodes are removed soon after they go offline.
    pub ephemeral: bool,
    /// Whether its nodes need no administrator's approval.
    pub preapproved: bool,
    /// When it stops working.
    pub expires: Option<UnixTime>,
}

/// What was decided: the changes to commit and apply, and what to answer once they are.
#[derive(Clone, Debug)]
pub struct Decision {
    /// In order.
    pub changes: Vec<Change>,
    /// Holds once they are applied.
    pub reply: Reply,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was done.
    Done,
    /// The machine is registered.
    Registered {
        /// As this node.
        node: NodeId,
        /// Which belongs to them.
        user: Box<User>,
        /// Whether it may take part; if not, an administrator must approve it.
        approved: bool,
    },
    /// The node's key has expired: it must make a new one and ask again.
    KeyExpired,
    /// The machine must be let in by an administrator, at the page of this registration.
    Waiting {
        /// Which.
        auth_id: AuthId,
    },
    /// The node is logged out.
    LoggedOut,
    /// The stream is open.
    Connected {
        /// Whose.
        node: NodeId,
        /// Which.
        stream: StreamId,
    },
    /// The user's number.
    UserCreated(UserId),
    /// They are signed in.
    SignedIn {
        /// As this user.
        user: UserId,
    },
    /// The auth key, whose secret is told this once.
    AuthKeyCreated {
        /// Number.
        key: AuthKeyId,
        /// What machines are given.
        secret: String,
    },
    /// The machine is in, as this node.
    Approved(NodeId),
    /// The policy is in force.
    PolicySet {
        /// As this revision.
        revision: u64,
    },
    /// They may log in by SSH.
    SshAccepted,
    /// They may not log in by SSH.
    SshRejected {
        /// For them to read.
        why: &'static str,
    },
    /// An administrator must decide.
    SshHeld {
        /// The check.
        auth_id: AuthId,
    },
}
