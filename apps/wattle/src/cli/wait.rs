//! Waiting until the daemon is connected, and telling the person at the terminal what it waits for.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{anyhow, bail};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};
use wattle_identity::short_code;
use wattle_keys::NodePublic;
use wattle_wire::local::{State, Status};

use super::api::{Api, Events};
use super::spinner::Spinner;
use super::{Outcome, print_json, qr};

/// How often the state is asked for although no event came: a daemon may have reached it before we listened.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Letters of a short code, with its dash.
const CODE_LENGTH: usize = 9;

/// What to wait for and how to speak of it.
pub(super) struct Wait {
    /// Zero: for ever.
    pub(super) timeout: Duration,
    pub(super) json: bool,
    /// Whether to draw login links; `None`: when a person looks.
    pub(super) qr: Option<bool>,
    /// Whether links are to be shown: not when a key does the login.
    pub(super) shows_links: bool,
    /// A link that was open before; one from before a forced login leads nowhere.
    pub(super) stale_link: String,
    /// The key that has to be replaced before we are done.
    pub(super) old_key: Option<NodePublic>,
}

/// What `up --json` prints, once for a link and once at the end.
#[derive(Debug, Default, Serialize)]
struct Told<'a> {
    #[serde(rename = "AuthURL", skip_serializing_if = "str::is_empty")]
    auth_url: &'a str,
    /// What the page shows too.
    #[serde(rename = "Code", skip_serializing_if = "str::is_empty")]
    code: &'a str,
    #[serde(rename = "BackendState", skip_serializing_if = "str::is_empty")]
    backend_state: &'a str,
    #[serde(rename = "Error", skip_serializing_if = "str::is_empty")]
    error: &'a str,
}

impl Wait {
    /// Until the daemon runs, or it cannot.
    pub(super) async fn until_running(self, api: &Api, mut events: Events) -> anyhow::Result<Outcome> {
        let forever = Duration::from_secs(u64::from(u32::MAX));
        let deadline = Instant::now() + if self.timeout.is_zero() { forever } else { self.timeout };
        let mut last = Status::default();
        match timeout_at(deadline, self.follow(api, &mut events, &mut last)).await {
            Ok(Ok(())) => Ok(Outcome::Done),
            Ok(Err(error)) => self.fail(&last, error),
            Err(_) => {
                let error = anyhow!("not connected within {}: {}", seconds(self.timeout), reason(&last));
                self.fail(&last, error)
            }
        }
    }

    async fn follow(&self, api: &Api, events: &mut Events, last: &mut Status) -> anyhow::Result<()> {
        let mut told = (String::new(), false);
        let mut spinner = Spinner::new(!self.json);
        loop {
            *last = api.status_without_peers().await?;
            let key = last.self_status.as_ref().and_then(|own| own.public_key);
            let key_is_new = self.old_key.is_none() || (key.is_some() && key != self.old_key);
            if last.backend_state == State::Running.as_str() && key_is_new {
                drop(spinner);
                return self.done(!told.0.is_empty() || told.1);
            }
            if last.backend_state == State::NeedsMachineAuth.as_str() && !told.1 {
                told.1 = true;
                spinner.wipe();
                self.tell_of_approval()?;
            }
            let link = last.auth_url.clone();
            if self.shows_links && !link.is_empty() && link != self.stale_link && link != told.0 {
                spinner.wipe();
                self.tell_of_link(&link, !told.0.is_empty(), &last.backend_state)?;
                told.0 = link;
            }
            // Events only say that it is time to look; those that came together are one occasion.
            tokio::select! {
                event = events.next() => if let Some(problem) = event?.err_message {
                    bail!(problem);
                },
                () = sleep(LOOK_EVERY) => {}
                () = spinner.turn(waits_for(last, self.shows_links)) => {}
            }
        }
    }

    fn tell_of_link(&self, link: &str, is_another: bool, state: &str) -> anyhow::Result<()> {
        let code = code_of(link);
        if self.json {
            return print_json(&Told { auth_url: link, code: &code, backend_state: state, ..Told::default() });
        }
        let mut err = io::stderr().lock();
        if is_another {
            writeln!(err, "\nThe link above has expired; here is another.")?;
        }
        writeln!(err, "\nTo authenticate, visit:\n\n\t{link}\n")?;
        if !code.is_empty() {
            writeln!(err, "The page shows this code; if it shows another, close it:\n\n\t{code}\n")?;
        }
        if self.qr.unwrap_or_else(|| io::stderr().is_terminal())
            && let Some(picture) = qr::picture(link)
        {
            writeln!(err, "{picture}\n")?;
        }
        Ok(())
    }

    fn tell_of_approval(&self) -> anyhow::Result<()> {
        if self.json {
            return print_json(&Told { backend_state: State::NeedsMachineAuth.as_str(), ..Told::default() });
        }
        writeln!(io::stderr(), "\nYou are signed in. An administrator must approve this device.")?;
        Ok(())
    }

    fn done(&self, said_something: bool) -> anyhow::Result<()> {
        if self.json {
            return print_json(&Told { backend_state: State::Running.as_str(), ..Told::default() });
        }
        if said_something {
            writeln!(io::stderr(), "Success.")?;
        }
        Ok(())
    }

    fn fail(&self, last: &Status, error: anyhow::Error) -> anyhow::Result<Outcome> {
        if !self.json {
            return Err(error);
        }
        let error = format!("{error:#}");
        print_json(&Told { backend_state: &last.backend_state, error: &error, ..Told::default() })?;
        Ok(Outcome::No)
    }
}

/// The short code of a login link: of its last path part. Empty where that is too short to have one.
fn code_of(link: &str) -> String {
    let path = link.split(['?', '#']).next().unwrap_or_default();
    let code = short_code(path.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
    if code.len() == CODE_LENGTH { code } else { String::new() }
}

/// What a person who looks at the terminal waits for.
fn waits_for(status: &Status, shows_links: bool) -> &'static str {
    let is = |state: State| status.backend_state == state.as_str();
    if is(State::NeedsMachineAuth) {
        "waiting for an administrator to approve this device"
    } else if shows_links && !status.auth_url.is_empty() {
        "waiting for you to sign in on that page"
    } else if is(State::NeedsLogin) {
        "asking the server to let this device in"
    } else {
        "connecting"
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

/// Why it is not connected, as far as the daemon says.
fn reason(status: &Status) -> String {
    match status.health.as_slice() {
        [] if status.backend_state.is_empty() => "the daemon does not answer".to_owned(),
        [] => format!("its state is {}", status.backend_state),
        health => health.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_the_daemon_complains_of_or_else_its_state() {
        let mut status = Status { backend_state: "NeedsLogin".to_owned(), ..Status::default() };
        assert_eq!(reason(&status), "its state is NeedsLogin");
        status.health = vec!["the key was used".to_owned()];
        assert_eq!(reason(&status), "the key was used");
        assert_eq!(seconds(Duration::from_millis(1500)), "1.5 s");
    }

    #[test]
    fn the_json_of_up_has_the_official_names_and_leaves_out_what_is_empty() {
        let told = Told { auth_url: "https://x/a", backend_state: "NeedsLogin", ..Told::default() };
        assert_eq!(serde_json::to_string(&told).unwrap(), r#"{"AuthURL":"https://x/a","BackendState":"NeedsLogin"}"#);
    }

    #[test]
    fn the_code_is_of_the_last_part_of_the_link() {
        assert_eq!(code_of("https://mesh.example.com/register/abcd1234efgh5678"), "ABCD-1234");
        assert_eq!(code_of("https://mesh.example.com/register/abcd1234efgh5678/?from=x/y#z"), "ABCD-1234");
        assert_eq!(code_of("https://mesh.example.com/a/abc"), "");
        assert_eq!(code_of(""), "");
    }

    #[test]
    fn a_person_is_told_what_is_waited_for() {
        let status = |state: &str, link: &str| Status {
            backend_state: state.to_owned(),
            auth_url: link.to_owned(),
            ..Status::default()
        };
        assert!(waits_for(&status("NeedsMachineAuth", ""), true).contains("administrator"));
        assert!(waits_for(&status("NeedsLogin", "https://x/a"), true).contains("sign in"));
        assert!(waits_for(&status("NeedsLogin", "https://x/a"), false).contains("asking the server"));
        assert_eq!(waits_for(&status("Starting", ""), true), "connecting");
    }
}
