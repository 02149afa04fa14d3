//! `wattle up`: connect, with these settings.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use wattle_wire::local::{MaskedPrefs, Options, Prefs, State, Status};

use super::Outcome;
use super::api::Api;
use super::settings::{self, Settings};
use super::values::{boolean, duration};
use super::wait::Wait;

/// Connect to the network, signing in if needed
///
/// Without flags it connects with the settings there are. With flags, they are the complete settings: if one that is
/// not the default would be dropped because you did not mention it, nothing happens and you are told what to add.
/// Use `wattle set` to change a single one.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  sudo wattle up --login-server https://mesh.example.com\n  sudo wattle up --login-server https://mesh.example.com --auth-key file:/run/secrets/key\n  sudo wattle up --advertise-routes 192.168.1.0/24 --hostname attic"
)]
pub(super) struct Up {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    sign_in: SignIn,
    /// Set what is not mentioned to its default
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean, hide_default_value = true)]
    reset: bool,
    /// Sign in anew although somebody is signed in; this may break the connection that you work over
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean, hide_default_value = true)]
    force_reauth: bool,
    /// Print JSON
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean, hide_default_value = true)]
    json: bool,
    /// Risks that are taken without asking; understood for scripts, nothing is ever asked
    #[arg(long, hide = true)]
    accept_risk: Option<String>,
}

/// How to sign in, and how long to wait for it.
#[derive(Args, Debug)]
pub(super) struct SignIn {
    /// Key to sign in with, instead of a browser; file:PATH reads it from a file
    #[arg(long, alias = "authkey", value_name = "KEY")]
    auth_key: Option<String>,
    /// How long to wait until connected, such as 30s; 0: for ever
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration)]
    timeout: Duration,
    /// Show login links as QR codes (default: on a terminal)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = boolean)]
    qr: Option<bool>,
}

/// What a connection attempt does.
#[derive(Debug, PartialEq)]
enum Plan {
    /// It is connected: change these settings.
    Edit(Box<MaskedPrefs>),
    /// It knows how: just be up.
    JustUp,
    /// Start with these settings.
    Start(Box<Prefs>),
}

impl Up {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let (status, current) = (api.status().await?, api.prefs().await?);
        let plan = self.plan(&status, current)?;
        let fresh = self.force_reauth;
        connect(api, &status, plan, &self.sign_in, self.json, fresh).await
    }

    fn plan(&self, status: &Status, current: Prefs) -> anyhow::Result<Plan> {
        let mentioned = self.settings.mentioned();
        let is_running = status.backend_state == State::Running.as_str();
        let knows_how = status.have_node_key && status.backend_state != State::NeedsLogin.as_str();
        let plain = mentioned.is_empty() && !self.reset;
        if plain && knows_how && self.sign_in.auth_key.is_none() && !self.force_reauth {
            return Ok(Plan::JustUp);
        }
        let mut wanted = if plain { current.clone() } else { defaults(&current) };
        self.settings.apply(&mut wanted, status)?;
        wanted.want_running = true;
        wanted.logged_out = false;
        ensure!(
            !wanted.control_url.is_empty(),
            "which network? name its server: wattle up --login-server https://mesh.example.com"
        );
        // A daemon that never had a server has no settings that anybody would miss.
        if !self.reset && !current.control_url.is_empty() {
            let forgotten = settings::forgotten(&current, &wanted, &mentioned);
            if !forgotten.is_empty() {
                bail!(complaint(&current, &wanted, &forgotten, &mentioned));
            }
        }
        let moves = wanted.control_url != current.control_url;
        ensure!(
            !(moves && is_running) || self.force_reauth,
            "changing --login-server signs this machine out of its network: add --force-reauth if you mean that"
        );
        let retagged = wanted.advertise_tags != current.advertise_tags;
        if is_running && !self.force_reauth && self.sign_in.auth_key.is_none() && !retagged {
            let flags = if self.reset { settings::all_flags() } else { mentioned };
            return Ok(Plan::Edit(Box::new(MaskedPrefs {
                want_running_set: true,
                ..settings::change(wanted, &flags)
            })));
        }
        Ok(Plan::Start(Box::new(wanted)))
    }
}

/// Defaults, with what flags of `up` do not drop: which network it is, and who may operate.
fn defaults(current: &Prefs) -> Prefs {
    Prefs {
        control_url: current.control_url.clone(),
        operator_user: current.operator_user.clone(),
        profile_name: current.profile_name.clone(),
        netfilter_mode: current.netfilter_mode,
        ..Prefs::default()
    }
}

fn complaint(current: &Prefs, wanted: &Prefs, forgotten: &[&str], mentioned: &[&str]) -> String {
    let mut flags = settings::as_flags(wanted, mentioned);
    flags.extend(settings::as_flags(current, forgotten));
    let names = forgotten.iter().map(|flag| format!("--{flag}")).collect::<Vec<_>>().join(", ");
    format!(
        "that would reset {names}, which you did not mention.\n\
         Repeat the command with all settings that are not the default:\n\n\twattle up {}\n\n\
         or use --reset to drop them, or `wattle set` to change only what you name.",
        flags.join(" ")
    )
}

/// Carries the plan out and waits until it is connected.
async fn connect(
    api: &Api,
    status: &Status,
    plan: Plan,
    sign_in: &SignIn,
    json: bool,
    fresh: bool,
) -> anyhow::Result<Outcome> {
    if let Plan::Edit(change) = &plan {
        api.edit_prefs(change).await?;
        return Ok(Outcome::Done);
    }
    // Listen first: what happens as a consequence must not be missed.
    let events = api.watch(0).await?;
    let auth_key = sign_in.auth_key.as_deref().map(read_key).transpose()?.unwrap_or_default();
    let wait = Wait {
        timeout: sign_in.timeout,
        json,
        qr: sign_in.qr,
        shows_links: auth_key.is_empty(),
        stale_link: if fresh { status.auth_url.clone() } else { String::new() },
        old_key: status.self_status.as_ref().and_then(|own| own.public_key).filter(|_| fresh && status.have_node_key),
    };
    match plan {
        Plan::Start(prefs) => {
            api.check_prefs(&prefs).await?;
            let by_hand = auth_key.is_empty();
            let signed_in = status.have_node_key && status.backend_state != State::NeedsLogin.as_str();
            api.start(&Options { update_prefs: Some(*prefs), auth_key }).await?;
            if fresh || (by_hand && !signed_in) {
                api.login_interactive().await?;
            }
        }
        Plan::JustUp | Plan::Edit(_) => {
            let prefs = Prefs { want_running: true, ..Prefs::default() };
            api.edit_prefs(&MaskedPrefs { prefs, want_running_set: true, ..MaskedPrefs::default() }).await?;
        }
    }
    wait.until_running(api, events).await
}

/// Signs in anew, with the settings there are and those that are mentioned: `wattle login`.
pub(super) async fn sign_in_anew(api: &Api, settings: &Settings, sign_in: &SignIn) -> anyhow::Result<Outcome> {
    let (status, mut prefs) = (api.status().await?, api.prefs().await?);
    settings.apply(&mut prefs, &status)?;
    prefs.want_running = true;
    prefs.logged_out = false;
    ensure!(
        !prefs.control_url.is_empty(),
        "which network? name its server: wattle login --login-server https://mesh.example.com"
    );
    connect(api, &status, Plan::Start(Box::new(prefs)), sign_in, false, true).await
}

/// The key itself, or what stands in the file that `file:` names.
fn read_key(text: &str) -> anyhow::Result<String> {
    let key = match text.strip_prefix("file:") {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            read.map_err(|error| anyhow::anyhow!("cannot read the key from {path}: {error}"))?.trim().to_owned()
        }
        None => text.to_owned(),
    };
    ensure!(!key.is_empty(), "the --auth-key is empty");
    if key.chars().any(char::is_whitespace) {
        writeln!(io::stderr(), "warning: the --auth-key contains spaces; is it a key?")?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
