//! A rule of `ssh`: who may log in to which nodes as whom.

use super::document::{Ssh, SshAction};
use super::duration::{self, SECOND};
use super::fields::Fields;
use super::finding::{Findings, Wrong};
use super::quote::quote;
use super::rule::{aliases, postures};
use crate::hujson::Value;

const FIELDS: [&str; 9] =
    ["action", "src", "dst", "users", "checkPeriod", "acceptEnv", "recorder", "enforceRecorder", "srcPosture"];

/// How long a check holds where the rule does not say (policy reference, `checkPeriod`).
const CHECK_SECONDS_DEFAULT: u64 = 12 * 3_600;
/// How long a check may hold at most.
const CHECK_NANOSECONDS_MAX: i64 = 168 * 3_600 * SECOND;

pub(super) fn ssh(rule: &Value, findings: &mut Findings) -> Option<Ssh> {
    let fields = Fields::read(rule, "a rule of ssh", &FIELDS, findings)?;
    let action = action(&fields, findings);
    let users: Vec<_> = fields.texts("users", findings).into_iter().map(|(user, at)| (user.trim(), at)).collect();
    if users.is_empty() {
        let at = fields.value("users").map_or(fields.at, |users| users.span);
        findings.refused(
            at,
            Wrong::new("users must be specified").hint("local users, such as \"root\" or \"autogroup:nonroot\""),
        );
    }
    for (user, at) in &users {
        if matches!(*user, "" | "*") {
            let wrong = Wrong::new(format!("user {} is not valid", quote(user)));
            findings.refused(*at, wrong.hint("the name of a local user; every user but root is \"autogroup:nonroot\""));
        }
    }
    let accept_env = fields.texts("acceptEnv", findings);
    for (name, at) in &accept_env {
        if name.is_empty() {
            findings.refused(
                *at,
                Wrong::new("acceptEnv values cannot be empty").hint("names or patterns, such as \"LANG\" or \"LC_*\""),
            );
        }
    }
    Some(Ssh {
        at: rule.span,
        action,
        sources: aliases(fields.value("src"), "src", findings),
        targets: aliases(fields.value("dst"), "dst", findings),
        users: users.into_iter().map(|(user, _)| user.to_owned()).collect(),
        accept_env: accept_env.into_iter().map(|(name, _)| name.to_owned()).collect(),
        recorders: aliases(fields.value("recorder"), "recorder", findings),
        enforce_recorder: fields.flag("enforceRecorder", findings),
        source_posture: postures(&fields, "srcPosture", findings),
    })
}

fn action(fields: &Fields<'_>, findings: &mut Findings) -> SshAction {
    let text = fields.text("action", findings);
    let check = match text.map(|(text, at)| (text.trim(), at)) {
        Some(("accept", _)) => false,
        Some(("check", _)) => true,
        Some((other, at)) if !other.is_empty() => {
            let wrong = Wrong::new(format!("{} is not a valid action", quote(other)));
            findings.unreadable(at, wrong.hint("\"accept\", or \"check\" to have people sign in again"));
            false
        }
        missing => {
            let at = missing.map_or(fields.at, |(_, at)| at);
            findings.refused(at, Wrong::new("action must be specified").hint("\"accept\" or \"check\""));
            false
        }
    };
    let period = match fields.text("checkPeriod", findings) {
        None => CHECK_SECONDS_DEFAULT,
        Some((text, at)) => {
            let seconds = seconds(text, at, findings);
            if !check {
                let wrong = Wrong::new("checkPeriod is only valid with action \"check\"");
                findings.refused(at, wrong.hint("leave it out, or make the action \"check\""));
            }
            seconds
        }
    };
    if check { SshAction::Check(period) } else { SshAction::Accept }
}

/// How long a check holds.
fn seconds(text: &str, at: crate::hujson::Span, findings: &mut Findings) -> u64 {
    if text == "always" {
        return 0;
    }
    let Some(nanoseconds) = findings.read(at, || duration::parse(text)) else {
        return CHECK_SECONDS_DEFAULT;
    };
    if nanoseconds < 0 {
        let wrong = Wrong::new(format!("checkPeriod {} must be a positive duration", duration::show(nanoseconds)));
        findings.refused(at, wrong.hint("\"always\" asks at every login"));
    }
    if nanoseconds > CHECK_NANOSECONDS_MAX {
        let wrong = Wrong::new(format!("checkPeriod {} is above the max (168h)", duration::show(nanoseconds)));
        findings.refused(at, wrong.hint("a check holds for a week at most: 168h"));
    }
    u64::try_from(nanoseconds / SECOND).unwrap_or_default()
}
