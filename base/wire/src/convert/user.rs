//! Users.

use wattle_netmap::{User, UserId};

use crate::control::UserProfile;

/// What we keep of a profile.
pub fn user_from_wire(profile: UserProfile) -> User {
    User {
        id: UserId(profile.id),
        login_name: profile.login_name,
        display_name: profile.display_name,
        picture_url: profile.profile_pic_url,
    }
}

/// The profile that nodes are sent.
pub fn user_to_wire(user: &User) -> UserProfile {
    UserProfile {
        id: user.id.0,
        login_name: user.login_name.clone(),
        display_name: user.display_name.clone(),
        profile_pic_url: user.picture_url.clone(),
        groups: Vec::new(),
    }
}
