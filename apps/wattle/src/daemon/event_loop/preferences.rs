//! What people decide, brought to every part that it is about.

use wattle_node::{Out, Preferences};
use wattle_session::{LoginOptions, Standing};
use wattle_wire::local::{Notify, Options, Persist, Prefs};

use super::{EventLoop, now};
use crate::daemon::host_report::host_report;

/// What the node needs of them.
pub(in crate::daemon) fn for_node(prefs: &Prefs) -> Preferences {
    Preferences { accept_routes: prefs.route_all, shields_up: prefs.shields_up }
}

/// Why preferences are not acceptable.
pub(super) fn problem_with(prefs: &Prefs) -> Option<String> {
    if !prefs.control_url.is_empty() {
        let url: Result<wattle_link::ControlUrl, _> = prefs.control_url.parse();
        if let Err(error) = url {
            return Some(error.to_string());
        }
    }
    if let Some(tag) = prefs.advertise_tags.iter().find(|tag| !tag.starts_with("tag:")) {
        return Some(format!("{tag:?} is no tag: tags look like tag:server"));
    }
    prefs.run_ssh.then(|| "this version has no SSH server".to_owned())
}

impl EventLoop {
    /// The preferences with who we are, for people.
    pub(super) fn shown_prefs(&self) -> Prefs {
        let map = self.node.map();
        let persist = map.self_node.as_ref().map(|own| Persist {
            user_profile: map.users.get(&own.user).map(wattle_wire::convert::user_to_wire).unwrap_or_default(),
            node_id: own.stable_id.0.clone(),
        });
        Prefs { persist, ..self.saved.prefs.clone() }
    }

    /// Takes new preferences.
    pub(super) fn set_prefs(&mut self, prefs: Prefs, out: &mut Out) {
        let old = std::mem::replace(&mut self.saved.prefs, Prefs { persist: None, ..prefs });
        if old == self.saved.prefs {
            return;
        }
        let new = self.saved.prefs.clone();
        self.save();
        self.node.set_preferences(for_node(&new), out);
        self.refresh_peer_relay();
        let mut report = host_report(&new, &self.saved.log_id);
        report.facts.net = self.node.host().facts.net.clone();
        self.node.set_host(report, now(), out);
        let moved = old.control_url != new.control_url;
        if (moved || !new.want_running) && old.want_running {
            self.node.stop(now(), out);
            self.people.signing_in = false;
            self.people.browse_to = None;
            self.people.control_problem = None;
            self.people.dials_failed = 0;
        }
        if new.want_running && (moved || !old.want_running) && self.node.has_key() {
            self.people.turned_away = false;
            self.node.start(now(), out);
        }
        let shown = self.shown_prefs();
        self.tell(Notify { prefs: Some(shown), ..Notify::default() });
    }

    /// Starts. A key to sign in with is used when nobody is signed in, or else kept for when the server does not know us:
    /// a script that says `up --auth-key` at every boot must not need a new key each time.
    pub(super) fn start(&mut self, options: Options, out: &mut Out) {
        let moved =
            options.update_prefs.as_ref().is_some_and(|prefs| prefs.control_url != self.saved.prefs.control_url);
        self.people.spare_auth_key = Some(options.auth_key).filter(|key| !key.is_empty());
        if let Some(prefs) = options.update_prefs {
            self.set_prefs(prefs, out);
        }
        let is_stranger = match self.node.standing() {
            Standing::Expired | Standing::WaitingForBrowser { .. } => true,
            Standing::SignedOut => self.people.turned_away || !self.node.has_key(),
            Standing::Member | Standing::WaitingForApproval => false,
        };
        if (is_stranger || moved) && self.people.spare_auth_key.is_some() {
            let key = self.people.spare_auth_key.take();
            self.sign_in(key, out);
        }
    }

    /// Signs in anew: with the key that `start` brought, or with a browser.
    pub(super) fn sign_in_anew(&mut self, out: &mut Out) {
        if let Some(key) = self.people.spare_auth_key.take() {
            self.login(LoginOptions { auth_key: Some(key), fresh_key: true }, out);
        } else if let (Some(url), Standing::WaitingForBrowser { .. }) =
            (self.people.browse_to.clone(), self.node.standing())
        {
            self.people.signing_in = true;
            self.tell(Notify { browse_to_url: Some(url), ..Notify::default() });
        } else if !(self.people.signing_in && self.people.browse_to.is_none()) {
            self.sign_in(None, out);
        }
    }

    /// Signs in, with a key or a browser.
    pub(super) fn sign_in(&mut self, auth_key: Option<String>, out: &mut Out) {
        let fresh_key = auth_key.is_none() && self.node.has_key();
        self.login(LoginOptions { auth_key, fresh_key }, out);
    }

    fn login(&mut self, options: LoginOptions, out: &mut Out) {
        self.people.signing_in = true;
        self.people.turned_away = false;
        self.people.browse_to = None;
        self.people.control_problem = None;
        self.people.dials_failed = 0;
        self.node.login(options, now(), out);
    }

    /// Signs out.
    pub(super) fn sign_out(&mut self, out: &mut Out) {
        self.node.logout(now(), out);
        self.people.browse_to = None;
        self.people.signing_in = false;
        self.people.spare_auth_key = None;
        let prefs = Prefs { want_running: false, logged_out: true, ..self.saved.prefs.clone() };
        self.saved.prefs = prefs;
        self.save();
        let shown = self.shown_prefs();
        self.tell(Notify { prefs: Some(shown), ..Notify::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_that_cannot_work_are_named() {
        assert_eq!(problem_with(&Prefs::default()), None);
        let url = Prefs { control_url: "mesh.example.com".to_owned(), ..Prefs::default() };
        assert!(problem_with(&url).is_some_and(|sentence| sentence.contains("mesh.example.com")));
        let tag = Prefs { advertise_tags: vec!["server".to_owned()], ..Prefs::default() };
        assert!(problem_with(&tag).is_some_and(|sentence| sentence.contains("tag:server")));
    }
}
