//! What pages remember of registrations, in memory and not for long: where a machine asks from, and what became of it,
//! for whom reloads the page.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use wattle_coordinator::AuthId;
use wattle_netmap::{NodeId, UserId};

use crate::limits::REGISTRATIONS_REMEMBERED_MAX;

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is this node.
    LetIn(NodeId),
    TurnedAway,
}

/// The latest, with who decided: nobody else is told.
#[derive(Debug, Default)]
pub(super) struct Outcomes(Mutex<VecDeque<(AuthId, UserId, Outcome)>>);

/// The addresses that machines ask from.
#[derive(Debug, Default)]
pub(super) struct Remotes(Mutex<VecDeque<(AuthId, IpAddr)>>);

impl Outcomes {
    pub(super) fn note(&self, auth_id: AuthId, user: UserId, outcome: Outcome) {
        let mut outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if outcomes.len() >= REGISTRATIONS_REMEMBERED_MAX {
            outcomes.pop_front();
        }
        outcomes.push_back((auth_id, user, outcome));
    }

    pub(super) fn of(&self, auth_id: &AuthId, user: UserId) -> Option<Outcome> {
        let outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latest = outcomes.iter().rev();
        latest.find(|(id, by, _)| id == auth_id && *by == user).map(|(_, _, outcome)| *outcome)
    }
}

impl Remotes {
    pub(super) fn note(&self, auth_id: &AuthId, from: IpAddr) {
        let mut remotes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match remotes.iter_mut().find(|(id, _)| id == auth_id) {
            Some((_, known)) => *known = from,
            None => {
                if remotes.len() >= REGISTRATIONS_REMEMBERED_MAX {
                    remotes.pop_front();
                }
                remotes.push_back((auth_id.clone(), from));
            }
        }
    }

    pub(super) fn of(&self, auth_id: &AuthId) -> Option<IpAddr> {
        let remotes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remotes.iter().find(|(id, _)| id == auth_id).map(|(_, from)| *from)
    }
}
