//! SSH in check mode: a node asks whether somebody who wants in was let in lately, or an administrator must decide.
//!
//! Source: tailscale `ssh/tailssh/tailssh.go fetchSSHAction`; headscale `hscontrol/noise.go SSHActionHandler`.

use std::sync::Arc;
use std::time::Duration;

use super::{Decided, done};
use crate::change::Change;
use crate::command::{Decision, Reply, SshQuestion};
use crate::config::Now;
use crate::dice::Dice;
use crate::limits;
use crate::record::{AuthId, SshApproval, SshCheck, SshVerdict};
use crate::refusal::Refusal;
use crate::state::{Coordinator, Entry, ssh_lifetime};

impl Coordinator {
    pub(super) fn decide_check_ssh(&self, dice: &mut Dice, question: &SshQuestion, now: Now) -> Decided {
        let to = self.node(question.to).ok_or(Refusal::UnknownNode(question.to))?;
        // Only the node itself may ask who gets in, else anybody could fill the waiting room in its name.
        if to.record.machine != question.machine {
            return Err(Refusal::NotYourKey);
        }
        let reject = |why| Ok(Decision { changes: Vec::new(), reply: Reply::SshRejected { why } });
        let Some(from) = self.node(question.from).filter(|from| from.is_admitted()) else {
            return reject("the node that you come from is not in this network any more");
        };
        let Some(period) = self.roster.ssh_check_period(question.from, question.to) else {
            return reject("the policy does not let you in any more");
        };
        // A check that we do not know was begun before a restart: it begins anew.
        if let Some(check) = question.auth_id.as_ref().and_then(|id| self.ssh_check(id)) {
            if (check.from, check.to) != (question.from, question.to) || check.user != from.record.owner() {
                return reject("this check is about somebody else");
            }
            let over = vec![Change::SshCheckEnded(check.id.clone())];
            match check.verdict {
                SshVerdict::Approved => return Ok(Decision { changes: over, reply: Reply::SshAccepted }),
                SshVerdict::Declined => {
                    return Ok(Decision {
                        changes: over,
                        reply: Reply::SshRejected { why: "an administrator said no" },
                    });
                }
                SshVerdict::TimedOut => {
                    return Ok(Decision {
                        changes: over,
                        reply: Reply::SshRejected { why: "nobody let you in in time" },
                    });
                }
                SshVerdict::Waiting => {}
            }
        }
        if self.was_let_in(from, question, period, now) {
            return Ok(Decision { changes: Vec::new(), reply: Reply::SshAccepted });
        }
        Ok(self.hold_ssh(dice, from, question, now))
    }

    fn was_let_in(&self, from: &Entry, question: &SshQuestion, period: u64, now: Now) -> bool {
        self.ssh_approvals.get(&(question.from, question.to)).is_some_and(|approval| {
            approval.user == from.record.owner() && now.wall.since(approval.at) < Duration::from_secs(period)
        })
    }

    /// Asking again for the same leads to the same page.
    fn hold_ssh(&self, dice: &mut Dice, from: &Entry, question: &SshQuestion, now: Now) -> Decision {
        let local_user: String = question.local_user.chars().take(limits::HOST_TEXT_MAX).collect();
        let user = from.record.owner();
        let same = |check: &&Arc<SshCheck>| {
            (check.from, check.to, check.user) == (question.from, question.to, user)
                && check.local_user == local_user
                && check.verdict == SshVerdict::Waiting
        };
        if let Some(check) = self.ssh_checks.values().find(same) {
            return Decision { changes: Vec::new(), reply: Reply::SshHeld { auth_id: check.id.clone() } };
        }
        let mut changes = Vec::new();
        if self.ssh_checks.len() >= limits::SSH_CHECKS_MAX {
            let oldest = self.ssh_checks.values().min_by_key(|check| check.created);
            changes.extend(oldest.map(|check| Change::SshCheckEnded(check.id.clone())));
        }
        let id = dice.auth_id();
        changes.push(Change::SshCheckSet(Box::new(SshCheck {
            id: id.clone(),
            from: question.from,
            user,
            to: question.to,
            local_user,
            created: now.wall,
            verdict: SshVerdict::Waiting,
        })));
        Decision { changes, reply: Reply::SshHeld { auth_id: id } }
    }

    pub(super) fn decide_ssh(&self, auth_id: &AuthId, verdict: SshVerdict, now: Now) -> Decided {
        let waits = |check: &&SshCheck| check.verdict == SshVerdict::Waiting;
        let check = self.ssh_check(auth_id).filter(waits).ok_or(Refusal::UnknownSshCheck)?;
        let mut changes = vec![Change::SshCheckSet(Box::new(SshCheck { verdict, ..check.clone() }))];
        if verdict == SshVerdict::Approved {
            let approval = SshApproval { user: check.user, at: now.wall };
            changes.push(Change::SshApproved { from: check.from, to: check.to, approval });
        }
        done(changes)
    }

    /// Checks that have waited too long, and outcomes that nobody asked for.
    pub(super) fn stale_ssh_checks(&self, now: Now) -> impl Iterator<Item = Change> {
        let due = move |check: &&Arc<SshCheck>| now.wall.since(check.created) >= ssh_lifetime(check);
        self.ssh_checks.values().filter(due).map(|check| match check.verdict {
            SshVerdict::Waiting => {
                Change::SshCheckSet(Box::new(SshCheck { verdict: SshVerdict::TimedOut, ..SshCheck::clone(check) }))
            }
            SshVerdict::Approved | SshVerdict::Declined | SshVerdict::TimedOut => {
                Change::SshCheckEnded(check.id.clone())
            }
        })
    }
}
