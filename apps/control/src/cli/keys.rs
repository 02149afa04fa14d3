//! `wattle-control keys`.

use clap::{Args, Subcommand};
use hyper::Method;

use super::door::Door;
use super::{Form, table};
use crate::admin::documents::{DoneDocument, KeyDocument, KeyRequest};
use crate::config::Lifetime;

pub(super) const EXAMPLES: &str = "Examples:
  wattle-control keys create --user alice                      one machine of alice's, within 90 days
  wattle-control keys create --user alice --reusable --expires 1h
  wattle-control keys create --tag tag:server --ephemeral      a machine that belongs to nobody, gone soon after it stops
  wattle-control keys create --tag tag:server --preapproved    where settings ask for device approval
  wattle-control keys list
  wattle-control keys revoke 7";

/// `keys`
#[derive(Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    form: Form,
    #[command(subcommand)]
    verb: KeysVerb,
}

#[derive(Subcommand)]
enum KeysVerb {
    /// Make a key. Its secret is printed this once, alone on standard output
    Create {
        /// Whose nodes it makes
        #[arg(long, value_name = "NAME", required_unless_present = "tags")]
        user: Option<String>,
        /// A tag for its nodes, which then belong to nobody; may be given several times
        #[arg(long = "tag", value_name = "tag:NAME")]
        tags: Vec<String>,
        /// Let it work more than once
        #[arg(long)]
        reusable: bool,
        /// Remove its nodes soon after they go offline
        #[arg(long)]
        ephemeral: bool,
        /// Let its nodes take part without an administrator's approval where the settings ask for one
        #[arg(long)]
        preapproved: bool,
        /// How long it can be used: a number with s, m, h or d, or "never"
        #[arg(long, value_name = "TIME", default_value = "90d")]
        expires: Lifetime,
    },
    /// Show all keys, without their secrets
    List,
    /// Stop a key from working. Nodes that it let in stay
    Revoke {
        /// The key's number
        key: u64,
    },
}

impl Keys {
    pub(super) async fn run(self, door: &Door) -> anyhow::Result<()> {
        match self.verb {
            KeysVerb::Create { user, tags, reusable, ephemeral, preapproved, expires } => {
                let expires_in_secs = expires.limit().map(|time| time.as_secs());
                let request = KeyRequest { user, tags, reusable, ephemeral, preapproved, expires_in_secs };
                let key: KeyDocument = door.send(Method::POST, "/keys", &request).await?;
                self.form.show(&key, |key| key.key.clone().unwrap_or_default())
            }
            KeysVerb::List => {
                let keys: Vec<KeyDocument> = door.read("/keys").await?;
                self.form.show(&keys, |keys| listed(keys))
            }
            KeysVerb::Revoke { key } => {
                door.remove(&format!("/keys/{key}")).await?;
                self.form.show(&DoneDocument {}, |_| format!("Auth key {key} is revoked."))
            }
        }
    }
}

fn listed(keys: &[KeyDocument]) -> String {
    let rows = keys.iter().map(|key| {
        let kinds = [(key.reusable, "reusable"), (key.ephemeral, "ephemeral"), (key.preapproved, "preapproved")];
        let kinds: Vec<_> = kinds.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
        let owner = key.user.clone().into_iter().chain(key.tags.iter().cloned()).collect::<Vec<_>>().join(" ");
        let expires = table::when(key.expires.as_deref(), "never");
        [key.id.to_string(), key.prefix.clone(), owner, kinds.join(" "), expires, state(key)]
    });
    table::table(
        ["NUMBER", "BEGINS", "FOR", "KIND", "EXPIRES", "STATE"],
        rows,
        "No auth keys yet: wattle-control keys create --user NAME",
    )
}

fn state(key: &KeyDocument) -> String {
    match (&key.revoked, &key.used) {
        (Some(revoked), _) => format!("revoked {}", table::when(Some(revoked), "")),
        (None, Some(used)) => format!("used {}", table::when(Some(used), "")),
        (None, None) => "unused".to_owned(),
    }
}
