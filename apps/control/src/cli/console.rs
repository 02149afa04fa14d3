//! `wattle-control console`.

use clap::Args;
use hyper::Method;

use super::Form;
use super::door::Door;
use crate::admin::documents::{ConsoleDocument, DoneDocument};

pub(super) const EXAMPLES: &str = "Examples:
  wattle-control console           print a link that lets one browser in
  wattle-control console --json

The server must run with --console 127.0.0.1:PORT. From another machine, make a tunnel first:
  ssh -L 8081:127.0.0.1:8081 vpn.example.com";

/// `console`
#[derive(Args)]
pub(crate) struct ConsoleArgs {
    #[command(flatten)]
    form: Form,
}

impl ConsoleArgs {
    pub(super) async fn run(self, door: &Door) -> anyhow::Result<()> {
        let document: ConsoleDocument = door.send(Method::POST, "/console/token", &DoneDocument {}).await?;
        self.form.show(&document, |document| {
            format!("{}\nThis link lets one browser in, once, within a quarter of an hour.", document.url)
        })
    }
}
