//! Auth keys: made, revoked, and tried by machines.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Decided, done};
use crate::change::Change;
use crate::command::{Decision, NewAuthKey, Reply};
use crate::config::Now;
use crate::dice::Dice;
use crate::limits;
use crate::record::{AuthKey, AuthKeyId};
use crate::refusal::Refusal;
use crate::state::Coordinator;

/// What a secret starts with, so that people and scanners of leaked secrets know it.
const MARK: &str = "wattle-auth-";
/// Characters that lists show: 60 bits.
const PREFIX_LENGTH: usize = 12;
/// Characters that nobody sees again: 200 bits.
const SECRET_LENGTH: usize = 40;

impl Coordinator {
    pub(super) fn decide_create_auth_key(&self, dice: &mut Dice, wanted: NewAuthKey, now: Now) -> Decided {
        let tags = self.checked_tags(wanted.tags)?;
        match wanted.user {
            Some(user) => drop(self.active_user(user)?),
            None if tags.is_empty() => return Err(Refusal::KeyOwnsNothing),
            None => {}
        }
        if self.auth_keys.len() >= limits::AUTH_KEYS_MAX {
            return Err(Refusal::Full(limits::AUTH_KEYS_MAX, "auth keys"));
        }
        let prefix = dice.text(PREFIX_LENGTH);
        let secret = format!("{MARK}{prefix}-{}", dice.text(SECRET_LENGTH));
        let id = AuthKeyId(self.next.auth_key);
        let key = AuthKey {
            id,
            prefix,
            hash: Sha256::digest(&secret).into(),
            user: wanted.user,
            tags,
            reusable: wanted.reusable,
            ephemeral: wanted.ephemeral,
            preapproved: wanted.preapproved,
            created: now.wall,
            expires: wanted.expires,
            used: None,
            revoked: None,
        };
        Ok(Decision { changes: vec![Change::AuthKeyAdded(key)], reply: Reply::AuthKeyCreated { key: id, secret } })
    }

    pub(super) fn decide_revoke_auth_key(&self, key: AuthKeyId, now: Now) -> Decided {
        let record = self.auth_keys.get(&key).ok_or(Refusal::UnknownKeyNumber(key))?;
        match record.revoked {
            Some(_) => done(Vec::new()),
            None => done(vec![Change::AuthKeyChanged(AuthKey { revoked: Some(now.wall), ..AuthKey::clone(record) })]),
        }
    }

    /// The key that a secret belongs to, if it may be used now.
    pub(super) fn usable_auth_key(&self, secret: &str, now: Now) -> Result<&AuthKey, Refusal> {
        let prefix = secret.strip_prefix(MARK).and_then(|rest| rest.split_once('-')).map(|(prefix, _)| prefix);
        let prefix = prefix.ok_or(Refusal::UnknownAuthKey)?;
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let is_it = |key: &&Arc<AuthKey>| key.prefix == prefix && bool::from(key.hash.ct_eq(&hash));
        let key = self.auth_keys.values().find(is_it).ok_or(Refusal::UnknownAuthKey)?;
        if key.revoked.is_some() {
            return Err(Refusal::AuthKeyRevoked);
        }
        if key.expires.is_some_and(|expires| expires <= now.wall) {
            return Err(Refusal::AuthKeyExpired);
        }
        if !key.reusable && key.used.is_some() {
            return Err(Refusal::AuthKeyUsed);
        }
        // Also for a key that tags: what a suspended user holds opens nothing.
        if let Some(user) = key.user {
            self.active_user(user)?;
        }
        Ok(key)
    }

    /// Tags that an administrator may give, sorted and each once.
    pub(super) fn checked_tags(&self, tags: Vec<String>) -> Result<Vec<String>, Refusal> {
        let tags: BTreeSet<String> = tags.into_iter().collect();
        if tags.len() > limits::TAGS_MAX {
            return Err(Refusal::TooManyTags);
        }
        match tags.iter().find(|tag| !self.roster.policy().knows_tag(tag)) {
            Some(unknown) => Err(Refusal::UnknownTag(unknown.chars().take(limits::HOST_TEXT_MAX).collect())),
            None => Ok(tags.into_iter().collect()),
        }
    }
}
