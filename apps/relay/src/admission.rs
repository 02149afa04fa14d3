//! Who may use the relay: everybody, or whom a coordination server allows.
//! Source: tailscale `derp/derpserver verifyClient`, `tailcfg/derpmap.go DERPAdmitClientRequest`.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context;
use wattle_keys::NodePublic;
use wattle_link::{ClientTls, Dialer};
use wattle_relay_io::{Admission, Verify};
use wattle_wire::control::{DerpAdmitClientRequest, DerpAdmitClientResponse};

pub(crate) fn choose(verify_url: Option<&str>, fail_open: bool) -> anyhow::Result<(Admission, Option<Verify>)> {
    let Some(url) = verify_url else { return Ok((Admission::Open, None)) };
    let asker = Arc::new(Asker { dialer: Dialer::new(ClientTls::new()?, None), url: url.to_owned(), fail_open });
    let verify: Verify = Arc::new(move |key, source| {
        let asker = Arc::clone(&asker);
        Box::pin(async move { asker.allows(key, source).await })
    });
    Ok((Admission::Ask, Some(verify)))
}

struct Asker {
    dialer: Dialer,
    url: String,
    fail_open: bool,
}

impl Asker {
    async fn allows(&self, key: NodePublic, source: IpAddr) -> bool {
        self.ask(key, source).await.unwrap_or_else(|error| {
            tracing::warn!(url = self.url, error = format!("{error:#}"), admitted = self.fail_open, "cannot verify");
            self.fail_open
        })
    }

    async fn ask(&self, key: NodePublic, source: IpAddr) -> anyhow::Result<bool> {
        let question = DerpAdmitClientRequest { node_public: Some(key), source: Some(source) };
        let reply = self.dialer.post_json(&self.url, serde_json::to_vec(&question)?).await?;
        anyhow::ensure!(reply.status == 200, "it answered with status {}", reply.status);
        let answer: DerpAdmitClientResponse = serde_json::from_slice(&reply.body).context("its answer is not JSON")?;
        Ok(answer.allow)
    }
}
