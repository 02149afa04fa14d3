//! Somebody has signed in with an identity provider: which user that is.
//!
//! Who they are is told by issuer and subject. An e-mail address, though verified, makes somebody known only where an
//! administrator has invited that address and nobody has come yet: addresses change hands.

use std::collections::BTreeSet;
use std::sync::Arc;

use wattle_identity::{IdentityKey, Profile};

use super::Decided;
use crate::change::Change;
use crate::command::{Decision, Reply};
use crate::config::Now;
use crate::limits;
use crate::record::UserRecord;
use crate::refusal::Refusal;
use crate::state::Coordinator;

impl Coordinator {
    pub(super) fn decide_sign_in(&self, profile: &Profile, now: Now) -> Decided {
        check_identity(&profile.key)?;
        let (user, is_new) = match self.user_of_identity(&profile.key) {
            Some(user) => (user.clone(), false),
            None => match self.invitation(profile)? {
                Some(user) => (user.clone(), false),
                None => (self.new_user(profile.login_name.clone(), String::new(), now)?, true),
            },
        };
        if user.suspended.is_some() {
            return Err(Refusal::Suspended(user.login_name));
        }
        let id = user.id;
        let user = self.refreshed(user, profile, now);
        let changes = match is_new {
            true => vec![Change::UserAdded(user)],
            // What a provider says of its people cannot be refused, whatever the policy's tests hope for.
            false => self.changed_user(user),
        };
        Ok(Decision { changes, reply: Reply::SignedIn { user: id } })
    }

    fn user_of_identity(&self, key: &IdentityKey) -> Option<&UserRecord> {
        self.users.values().find(|user| user.identities.contains(key)).map(Arc::as_ref)
    }

    /// The user whom an administrator has made known under this person's verified e-mail address. A name that belongs to
    /// somebody else is refused.
    fn invitation(&self, profile: &Profile) -> Result<Option<&UserRecord>, Refusal> {
        let named = |name: &str| self.users.values().find(|user| user.login_name.eq_ignore_ascii_case(name));
        let by_email = profile.email.as_deref().and_then(named);
        match by_email.or_else(|| named(&profile.login_name)) {
            None => Ok(None),
            Some(user) if !user.identities.is_empty() => Err(Refusal::NameOfAnother(user.login_name.clone())),
            Some(user) if by_email.is_some() => Ok(Some(user)),
            Some(user) => Err(Refusal::NotProven(user.login_name.clone())),
        }
    }

    /// The user with what the provider says of them now.
    fn refreshed(&self, mut user: UserRecord, profile: &Profile, now: Now) -> UserRecord {
        let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let mut identities: BTreeSet<IdentityKey> = user.identities.into_iter().collect();
        identities.insert(profile.key.clone());
        user.identities = identities.into_iter().collect();
        // Who is named by their address keeps being named so when it changes, unless the new name is taken.
        let named_by_email = user.email.as_ref() == Some(&user.login_name);
        if let Some(email) = profile.email.as_ref().filter(|email| named_by_email && **email != user.login_name)
            && self.check_user_name(email, Some(user.id)).is_ok()
        {
            user.login_name.clone_from(email);
        }
        if profile.email.as_ref().is_some_and(|email| email.chars().count() <= limits::USER_NAME_MAX) {
            user.email.clone_from(&profile.email);
        }
        if !profile.display_name.is_empty() {
            user.display_name = cut(&profile.display_name, limits::USER_NAME_MAX);
        }
        let shows_picture = profile.picture_url.chars().count() <= limits::PICTURE_URL_CHARS_MAX;
        user.picture_url = if shows_picture { profile.picture_url.clone() } else { String::new() };
        if let Some(groups) = &profile.groups {
            let groups: BTreeSet<String> = groups.iter().map(|group| cut(group, limits::USER_NAME_MAX)).collect();
            user.groups = groups.into_iter().take(limits::GROUPS_MAX).collect();
        }
        user.provider = cut(&profile.provider, limits::USER_NAME_MAX);
        user.second_factor = profile.second_factor;
        user.last_sign_in = Some(now.wall);
        user
    }
}

/// An identity that is cut could be that of somebody else.
fn check_identity(key: &IdentityKey) -> Result<(), Refusal> {
    let fits = |text: &str| !text.is_empty() && text.chars().count() <= limits::IDENTITY_CHARS_MAX;
    if fits(&key.issuer) && fits(&key.subject) { Ok(()) } else { Err(Refusal::BadIdentity) }
}
