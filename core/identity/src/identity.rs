//! A person as a provider vouches for them.

use wattle_time::UnixTime;

use crate::limits::{GROUP_CHARS_MAX, GROUPS_MAX, TEXT_CHARS_MAX, URL_CHARS_MAX};

/// An identity at a provider. Never an e-mail address: those change hands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityKey {
    /// The provider's own name: its issuer.
    pub issuer: String,
    /// The person's name there, which is given once and never to somebody else.
    pub subject: String,
}

/// What a provider vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who.
    pub key: IdentityKey,
    /// Name of the provider in the configuration.
    pub provider: String,
    /// E-mail, only if the provider says that it is theirs.
    pub email: Option<String>,
    /// As they are called.
    pub display_name: String,
    /// Their picture; empty: none.
    pub picture_url: String,
    /// Groups without `group:`, sorted; `None`: this provider tells none, and what is known stays.
    pub groups: Option<Vec<String>>,
    /// Whether a second factor was used, as far as the provider says.
    pub second_factor: bool,
    /// When node keys shall end, where they end with the provider's token.
    pub key_expiry: Option<UnixTime>,
    /// How a new user is called.
    pub login_name: String,
}

impl Profile {
    /// The same, cut to what is kept, and with a login name that says only what was vouched for.
    ///
    /// `preferred` is what the person chose to be called there. Anybody can choose to be called like somebody's e-mail
    /// address, which policies name, so it never becomes a login name as it is.
    #[must_use]
    pub fn bounded(mut self, preferred: Option<&str>) -> Self {
        let cut = |text: &str, max: usize| text.chars().filter(|c| !c.is_control()).take(max).collect::<String>();
        self.key.issuer = cut(&self.key.issuer, URL_CHARS_MAX);
        self.key.subject = cut(&self.key.subject, TEXT_CHARS_MAX);
        let is_address = |email: &String| {
            email.len() <= TEXT_CHARS_MAX
                && email.contains('@')
                && !email.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        self.email = self.email.filter(is_address);
        self.login_name = match &self.email {
            Some(email) => email.clone(),
            None => {
                let harmless = |c: char| if c.is_alphanumeric() || "._-+".contains(c) { c } else { '.' };
                let name = preferred.filter(|name| !name.is_empty()).unwrap_or(&self.key.subject);
                let name: String = name.chars().take(64).map(harmless).collect();
                format!("{name}@{}", self.provider)
            }
        };
        self.display_name = cut(self.display_name.trim(), TEXT_CHARS_MAX);
        if self.display_name.is_empty() {
            self.display_name.clone_from(&self.login_name);
        }
        if self.picture_url.chars().count() > URL_CHARS_MAX || !self.picture_url.starts_with("https://") {
            self.picture_url.clear();
        }
        self.groups = self.groups.map(|groups| {
            let fits = |name: &String| {
                !name.is_empty() && name.chars().count() <= GROUP_CHARS_MAX && !name.contains(char::is_control)
            };
            let mut groups: Vec<String> = groups.into_iter().filter(fits).take(GROUPS_MAX).collect();
            groups.sort();
            groups.dedup();
            groups
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn profile(email: Option<&str>) -> Profile {
        Profile {
            key: IdentityKey { issuer: "https://id.example".to_owned(), subject: "248289761001".to_owned() },
            provider: "corp".to_owned(),
            email: email.map(str::to_owned),
            display_name: String::new(),
            picture_url: String::new(),
            groups: None,
            second_factor: false,
            key_expiry: None,
            login_name: String::new(),
        }
    }

    #[test]
    fn a_chosen_name_never_looks_like_an_address() {
        let chosen = profile(None).bounded(Some("alice@example.com"));
        assert_eq!(chosen.login_name, "alice.example.com@corp");
        assert_eq!(profile(Some("alice@example.com")).bounded(Some("bob")).login_name, "alice@example.com");
        assert_eq!(profile(None).bounded(None).login_name, "248289761001@corp");
    }

    proptest! {
        #[test]
        fn whatever_a_provider_says_is_bounded(name in ".{0,400}", email in ".{0,400}", groups in prop::collection::vec(".{0,200}", 0..300)) {
            let groups = Some(groups);
            let kept = Profile { groups, display_name: name.clone(), email: Some(email), ..profile(None) }.bounded(Some(&name));
            prop_assert!(kept.login_name.chars().count() <= TEXT_CHARS_MAX && !kept.login_name.contains(char::is_whitespace));
            prop_assert!(kept.display_name.chars().count() <= TEXT_CHARS_MAX && !kept.display_name.is_empty());
            let groups = kept.groups.unwrap();
            prop_assert!(groups.len() <= GROUPS_MAX && groups.is_sorted());
        }
    }
}
