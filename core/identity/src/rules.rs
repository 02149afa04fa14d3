//! Who of those that a provider vouches for is let in.

use crate::identity::Profile;

/// The rules of one provider. Each list that names something must match; one that is empty asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Domains of verified e-mail addresses.
    pub allowed_domains: Vec<String>,
    /// Verified e-mail addresses.
    pub allowed_users: Vec<String>,
    /// Groups, of which one is enough.
    pub allowed_groups: Vec<String>,
    /// Whether a second factor must have been used.
    pub require_second_factor: bool,
}

/// Why somebody is not let in: sentences for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// A rule is about e-mail, and there is none to go by.
    #[error("Your provider does not say that an e-mail address is yours, and this network lets people in by theirs.")]
    NoEmail,
    /// Another domain.
    #[error("Your e-mail address is of a domain that this network does not let in.")]
    Domain,
    /// Not on the list.
    #[error("You are not on the list of people that this network lets in.")]
    User,
    /// In none of the groups.
    #[error("You are in none of the groups that this network lets in.")]
    Group,
    /// No second factor.
    #[error("This network wants a second factor, and your provider does not say that you used one.")]
    SecondFactor,
}

impl Rules {
    /// Whether somebody is let in.
    pub fn admit(&self, profile: &Profile) -> Result<(), NotAdmitted> {
        let email = profile.email.as_deref();
        if (!self.allowed_domains.is_empty() || !self.allowed_users.is_empty()) && email.is_none() {
            return Err(NotAdmitted::NoEmail);
        }
        let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain).unwrap_or_default();
        if !names(&self.allowed_domains, domain) {
            return Err(NotAdmitted::Domain);
        }
        if !names(&self.allowed_users, email.unwrap_or_default()) {
            return Err(NotAdmitted::User);
        }
        let groups = profile.groups.as_deref().unwrap_or_default();
        if !self.allowed_groups.is_empty() && !groups.iter().any(|group| self.allowed_groups.contains(group)) {
            return Err(NotAdmitted::Group);
        }
        if self.require_second_factor && !profile.second_factor {
            return Err(NotAdmitted::SecondFactor);
        }
        Ok(())
    }
}

/// Addresses and domains are the same whatever their case.
fn names(allowed: &[String], text: &str) -> bool {
    allowed.is_empty() || allowed.iter().any(|entry| entry.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentityKey;

    fn profile(email: Option<&str>, groups: &[&str]) -> Profile {
        Profile {
            key: IdentityKey { issuer: "https://id.example".to_owned(), subject: "1".to_owned() },
            provider: "corp".to_owned(),
            email: email.map(str::to_owned),
            display_name: "Alice".to_owned(),
            picture_url: String::new(),
            groups: Some(groups.iter().map(ToString::to_string).collect()),
            second_factor: false,
            key_expiry: None,
            login_name: "alice".to_owned(),
        }
    }

    #[test]
    fn each_list_that_names_something_must_match() {
        let list = |text: &str| vec![text.to_owned()];
        let alice = profile(Some("alice@Example.com"), &["staff"]);
        assert_eq!(Rules::default().admit(&profile(None, &[])), Ok(()));
        let domains = Rules { allowed_domains: list("example.com"), ..Rules::default() };
        assert_eq!(domains.admit(&alice), Ok(()));
        assert_eq!(domains.admit(&profile(Some("alice@evil-example.com"), &[])), Err(NotAdmitted::Domain));
        assert_eq!(domains.admit(&profile(Some("example.com@evil.com"), &[])), Err(NotAdmitted::Domain));
        assert_eq!(domains.admit(&profile(None, &[])), Err(NotAdmitted::NoEmail));
        let users = Rules { allowed_users: list("bob@example.com"), ..domains };
        assert_eq!(users.admit(&alice), Err(NotAdmitted::User));
        let groups = Rules { allowed_groups: list("admins"), ..Rules::default() };
        assert_eq!(groups.admit(&alice), Err(NotAdmitted::Group));
        assert_eq!(groups.admit(&profile(None, &["staff", "admins"])), Ok(()));
        let second = Rules { require_second_factor: true, ..Rules::default() };
        assert_eq!(second.admit(&alice), Err(NotAdmitted::SecondFactor));
        assert_eq!(second.admit(&Profile { second_factor: true, ..alice }), Ok(()));
    }
}
