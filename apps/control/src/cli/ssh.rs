//! `wattle-control ssh`.

use clap::{Args, Subcommand};
use hyper::Method;

use super::door::Door;
use super::{Form, table};
use crate::admin::documents::{DoneDocument, SshCheckDocument, SshDecisionRequest};

pub(super) const EXAMPLES: &str = "Examples:
  wattle-control ssh pending
  wattle-control ssh approve abcdefghijklmnopqrstuvwx
  wattle-control ssh decline abcdefghijklmnopqrstuvwx";

/// `ssh`
#[derive(Args)]
pub(crate) struct Ssh {
    #[command(flatten)]
    form: Form,
    #[command(subcommand)]
    verb: SshVerb,
}

#[derive(Subcommand)]
enum SshVerb {
    /// Show who waits
    #[command(visible_alias = "list")]
    Pending,
    /// Let somebody in
    Approve {
        /// As `pending` names it
        id: String,
    },
    /// Turn somebody away
    Decline {
        /// As `pending` names it
        id: String,
    },
}

impl Ssh {
    pub(super) async fn run(self, door: &Door) -> anyhow::Result<()> {
        let (path, auth_id, words) = match self.verb {
            SshVerb::Pending => {
                let checks: Vec<SshCheckDocument> = door.read("/ssh/pending").await?;
                return self.form.show(&checks, |checks| listed(checks));
            }
            SshVerb::Approve { id } => ("/ssh/approve", id, "They are let in."),
            SshVerb::Decline { id } => ("/ssh/decline", id, "They are turned away."),
        };
        let done: DoneDocument = door.send(Method::POST, path, &SshDecisionRequest { auth_id }).await?;
        self.form.show(&done, |_| words.to_owned())
    }
}

fn listed(checks: &[SshCheckDocument]) -> String {
    let rows = checks.iter().map(|check| {
        [
            check.auth_id.clone(),
            check.user.clone().unwrap_or_else(|| "(tagged)".to_owned()),
            check.from.clone(),
            format!("{}@{}", check.local_user, check.to),
            table::when(Some(&check.since), ""),
        ]
    });
    table::table(["ID", "WHO", "FROM", "TO", "SINCE"], rows, "Nobody waits.")
}
