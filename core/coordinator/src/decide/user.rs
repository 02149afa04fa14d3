//! People.

use std::sync::Arc;

use wattle_netmap::UserId;
use wattle_policy::language::document::Role;

use super::{Decided, done};
use crate::change::Change;
use crate::command::{Decision, Reply};
use crate::config::Now;
use crate::limits;
use crate::record::{NodeRecord, UserRecord};
use crate::refusal::Refusal;
use crate::state::Coordinator;

impl Coordinator {
    pub(super) fn decide_create_user(&self, login_name: String, display_name: String, now: Now) -> Decided {
        let user = self.new_user(login_name, display_name, now)?;
        let id = user.id;
        Ok(Decision { changes: vec![Change::UserAdded(user)], reply: Reply::UserCreated(id) })
    }

    /// A user with a name that nobody has, and nothing else yet.
    pub(super) fn new_user(&self, login_name: String, display_name: String, now: Now) -> Result<UserRecord, Refusal> {
        self.check_user_name(&login_name, None)?;
        if self.users.len() >= limits::USERS_MAX {
            return Err(Refusal::Full(limits::USERS_MAX, "users"));
        }
        // Somebody must be in charge, and the first one is who set the tailnet up.
        let role = if self.next.user == 1 { Role::Owner } else { Role::Member };
        let mut user = UserRecord::new(UserId(self.next.user), login_name, now.wall, role);
        if !display_name.is_empty() {
            user.display_name = display_name.chars().take(limits::USER_NAME_MAX).collect();
        }
        Ok(user)
    }

    pub(super) fn decide_rename_user(&self, user: UserId, login_name: String) -> Decided {
        let record = self.known_user(user)?;
        self.check_user_name(&login_name, Some(user))?;
        // A display name that only repeated the login name goes with it.
        let same = record.display_name == record.login_name;
        let display_name = if same { login_name.clone() } else { record.display_name.clone() };
        done(self.change_user(UserRecord { login_name, display_name, ..record.clone() })?)
    }

    pub(super) fn decide_set_role(&self, user: UserId, role: Role) -> Decided {
        let record = self.known_user(user)?;
        if record.role == role {
            return done(Vec::new());
        }
        self.check_not_last_owner(record)?;
        done(self.change_user(UserRecord { role, ..record.clone() })?)
    }

    pub(super) fn decide_suspend_user(&self, user: UserId, now: Now) -> Decided {
        let record = self.known_user(user)?;
        if record.suspended.is_some() {
            return done(Vec::new());
        }
        self.check_not_last_owner(record)?;
        done(vec![Change::UserChanged(UserRecord { suspended: Some(now.wall), ..record.clone() })])
    }

    pub(super) fn decide_restore_user(&self, user: UserId) -> Decided {
        let record = self.known_user(user)?;
        match record.suspended {
            Some(_) => done(vec![Change::UserChanged(UserRecord { suspended: None, ..record.clone() })]),
            None => done(Vec::new()),
        }
    }

    pub(super) fn decide_delete_user(&self, user: UserId, with_nodes: bool) -> Decided {
        self.check_not_last_owner(self.known_user(user)?)?;
        let (own, tagged): (Vec<_>, Vec<_>) =
            self.nodes_of(user).map(|entry| &entry.record).partition(|record| record.owner().is_some());
        if !own.is_empty() && !with_nodes {
            return Err(Refusal::UserHasNodes(user, own.len()));
        }
        let keys = self.auth_keys.values().filter(|key| key.user == Some(user));
        let mut changes: Vec<_> = keys.map(|key| Change::AuthKeyDeleted(key.id)).collect();
        changes.extend(own.iter().map(|record| Change::NodeDeleted(record.id)));
        // Tagged nodes belong to nobody: it is only forgotten who registered them.
        let kept = tagged.into_iter().map(|record| NodeRecord { user: None, ..record.clone() });
        changes.extend(kept.map(|record| Change::NodeChanged(Box::new(record))));
        changes.push(Change::UserDeleted(user));
        done(changes)
    }

    pub(super) fn known_user(&self, user: UserId) -> Result<&UserRecord, Refusal> {
        self.user(user).ok_or(Refusal::UnknownUser(user))
    }

    /// A user who is not suspended.
    pub(super) fn active_user(&self, user: UserId) -> Result<&UserRecord, Refusal> {
        let record = self.known_user(user)?;
        match record.suspended {
            Some(_) => Err(Refusal::Suspended(record.login_name.clone())),
            None => Ok(record),
        }
    }

    /// Somebody must stay in charge who can act.
    fn check_not_last_owner(&self, leaving: &UserRecord) -> Result<(), Refusal> {
        let remains =
            |user: &Arc<UserRecord>| user.role == Role::Owner && user.suspended.is_none() && user.id != leaving.id;
        match leaving.role == Role::Owner && !self.users.values().any(remains) {
            true => Err(Refusal::LastOwner),
            false => Ok(()),
        }
    }

    pub(super) fn check_user_name(&self, name: &str, own: Option<UserId>) -> Result<(), Refusal> {
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
