//! Commands to changes. Every function here only looks; what it wants stands in the decision.

mod auth_key;
mod node;
mod policy;
mod register;
mod report;
mod routes;
mod settings;
mod sign_in;
mod ssh;
mod tick;
mod user;

use crate::change::Change;
use crate::command::{Command, Decision, Reply};
use crate::config::Now;
use crate::dice::Dice;
use crate::record::SshVerdict;
use crate::refusal::Refusal;
use crate::state::Coordinator;

type Decided = Result<Decision, Refusal>;

impl Coordinator {
    /// Finds out what a command would change, and changes nothing.
    pub fn decide(&self, dice: &mut Dice, command: Command, now: Now) -> Decided {
        match command {
            Command::Register(request) => self.decide_register(dice, &request, now),
            Command::SignIn(profile) => self.decide_sign_in(&profile, now),
            Command::Approve { auth_id, user, key_expiry } => {
                self.decide_approve(dice, &auth_id, user, key_expiry, now)
            }
            Command::ApproveNode { node } => self.decide_approve_node(node),
            Command::Decline { auth_id } => self.decide_decline(&auth_id),
            Command::Report(report) => self.decide_report(&report),
            Command::Connect(report) => self.decide_connect(&report),
            Command::Disconnect { node, stream } => Ok(self.decide_disconnect(node, stream, now)),
            Command::RenameNode { node, name } => self.decide_rename_node(node, name.as_deref()),
            Command::SetTags { node, tags } => self.decide_set_tags(node, tags),
            Command::ApproveRoutes { node, routes } => self.decide_approve_routes(node, routes),
            Command::ExpireNode { node, at } => self.decide_expire_node(node, at),
            Command::DeleteNode { node } => self.decide_delete_node(node),
            Command::CreateUser { login_name, display_name } => self.decide_create_user(login_name, display_name, now),
            Command::RenameUser { user, login_name } => self.decide_rename_user(user, login_name),
            Command::SetRole { user, role } => self.decide_set_role(user, role),
            Command::SuspendUser { user } => self.decide_suspend_user(user, now),
            Command::RestoreUser { user } => self.decide_restore_user(user),
            Command::DeleteUser { user, with_nodes } => self.decide_delete_user(user, with_nodes),
            Command::CreateAuthKey(wanted) => self.decide_create_auth_key(dice, wanted, now),
            Command::RevokeAuthKey { key } => self.decide_revoke_auth_key(key, now),
            Command::SetSettings(settings) => self.decide_set_settings(settings),
            Command::SetPolicy(wanted) => self.decide_set_policy(*wanted, now),
            Command::CheckSsh(question) => self.decide_check_ssh(dice, &question, now),
            Command::ApproveSsh { auth_id } => self.decide_ssh(&auth_id, SshVerdict::Approved, now),
            Command::DeclineSsh { auth_id } => self.decide_ssh(&auth_id, SshVerdict::Declined, now),
            Command::SetRelays(derp) => {
                done(if derp == *self.derp { Vec::new() } else { vec![Change::RelaysSet(derp)] })
            }
            Command::Tick => done(self.decide_tick(now)),
            Command::SaveReach => done(self.reach_to_save()),
        }
    }
}

/// Changes without anything to answer.
fn done(changes: Vec<Change>) -> Decided {
    Ok(Decision { changes, reply: Reply::Done })
}
