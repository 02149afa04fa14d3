//! People.

use std::sync::Arc;

use wattle_netmap::{NodeId, UserId};
use wattle_policy::language::document::Role;
use wattle_time::UnixTime;

use super::{Decided, done};
use crate::change::Change;
use crate::command::{Decision, Reply};
use crate::config::Now;
use crate::limits;
use crate::record::UserRecord;
use crate::refusal::Refusal;
use crate::state::{Coordinator, Entry};

impl Coordinator {
    pub(super) fn decide_create_user(&self, login_name: String, display_name: String, now: Now) -> Decided {
        self.check_user_name(&login_name, None)?;
        if self.users.len() >= limits::USERS_MAX {
            return Err(Refusal::Full(limits::USERS_MAX, "users"));
        }
        let id = UserId(self.next.user);
        let display_name: String = if display_name.is_empty() { login_name.clone() } else { display_name };
        let display_name = display_name.chars().take(limits::USER_NAME_MAX).collect();
        let created: UnixTime = now.wall;
        // Somebody must be in charge, and the first one is who set the tailnet up.
        let role = if self.next.user == 1 { Role::Owner } else { Role::Member };
        let user = UserRecord { id, login_name, display_name, created, role, groups: Vec::new() };
        Ok(Decision { changes: vec![Change::UserAdded(user)], reply: Reply::UserCreated(id) })
    }

    pub(super) fn decide_rename_user(&self, user: UserId, login_name: String) -> Decided {
        let record = self.user(user)?;
        self.check_user_name(&login_name, Some(user))?;
        // A display name that only repeated the login name goes with it.
        let same = record.display_name == record.login_name;
        let display_name = if same { login_name.clone() } else { record.display_name.clone() };
        done(self.change_user(UserRecord { login_name, display_name, ..record.clone() })?)
    }

    pub(super) fn decide_set_role(&self, user: UserId, role: Role) -> Decided {
        let record = self.user(user)?;
        if record.role == role {
            return done(Vec::new());
        }
        let owners = self.users.values().filter(|user| user.role == Role::Owner).count();
        if record.role == Role::Owner && owners == 1 {
            return Err(Refusal::LastOwner);
        }
        done(self.change_user(UserRecord { role, ..record.clone() })?)
    }

    /// The nodes that a user registered.
    pub(super) fn nodes_of(&self, user: UserId) -> impl Iterator<Item = &Entry> {
        let nodes = self.by_user.range((user, NodeId(0))..=(user, NodeId(u64::MAX)));
        nodes.filter_map(|(_, node)| self.node(*node))
    }

    pub(super) fn decide_delete_user(&self, user: UserId) -> Decided {
        self.user(user)?;
        let nodes = self.nodes_of(user).count();
        if nodes > 0 {
            return Err(Refusal::UserHasNodes(user, nodes));
        }
        let keys = self.auth_keys.values().filter(|key| key.user == Some(user));
        let mut changes: Vec<_> = keys.map(|key| Change::AuthKeyDeleted(key.id)).collect();
        changes.push(Change::UserDeleted(user));
        done(changes)
    }

    pub(super) fn user(&self, user: UserId) -> Result<&UserRecord, Refusal> {
        self.users.get(&user).map(Arc::as_ref).ok_or(Refusal::UnknownUser(user))
    }

    fn check_user_name(&self, name: &str, own: Option<UserId>) -> Result<(), Refusal> {
        let length = name.chars().count();
        if length == 0 || length > limits::USER_NAME_MAX || name.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err(Refusal::BadUserName(name.chars().take(limits::USER_NAME_MAX).collect()));
        }
        // Policies compare names as they are written; two that differ in case only would be one trap for people.
        let taken = |user: &&Arc<UserRecord>| Some(user.id) != own && user.login_name.eq_ignore_ascii_case(name);
        match self.users.values().find(taken) {
            Some(user) => Err(Refusal::UserExists(user.login_name.clone())),
            None => Ok(()),
        }
    }
}
