//! `/bootstrap-dns`: addresses of the coordination server and relays, for clients whose own DNS is broken.
//! It answers for names it was given and no others, so it is nobody's open resolver.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::Mutex;

use crate::limits::{BOOTSTRAP_AGE, BOOTSTRAP_NAMES, BOOTSTRAP_TIME};

/// The names that are answered for.
#[derive(Clone, Debug, Default)]
pub struct BootstrapNames(Vec<String>);

impl BootstrapNames {
    /// These names, up to the limit.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().filter(|name| name.parse::<IpAddr>().is_err()).take(BOOTSTRAP_NAMES).collect())
    }
}

type Addresses = BTreeMap<String, Vec<IpAddr>>;

struct Bootstrap {
    names: BootstrapNames,
    /// Held while looking up, so that many askers cause one look-up.
    known: Mutex<Option<(Instant, Arc<Addresses>)>>,
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

pub(super) fn router(names: BootstrapNames) -> Router {
    let bootstrap = Arc::new(Bootstrap { names, known: Mutex::new(None) });
    Router::new().route("/bootstrap-dns", get(answer)).with_state(bootstrap)
}

/// The name that is asked for if it is one of ours, else all of ours: what official relays answer.
async fn answer(State(bootstrap): State<Arc<Bootstrap>>, Query(asked): Query<Asked>) -> impl IntoResponse {
    let known = bootstrap.addresses().await;
    let one: Addresses =
        known.get_key_value(&asked.q).map(|(name, addresses)| (name.clone(), addresses.clone())).into_iter().collect();
    let shown = if one.is_empty() { known.as_ref() } else { &one };
    // Askers come from everywhere and once: a connection kept open for them is wasted.
    ([(header::CONNECTION, "close")], axum::Json(shown.clone()))
}

impl Bootstrap {
    async fn addresses(&self) -> Arc<Addresses> {
        let mut known = self.known.lock().await;
        if let Some((when, addresses)) = known.as_ref()
            && when.elapsed() < BOOTSTRAP_AGE
        {
            return Arc::clone(addresses);
        }
        let fresh = Arc::new(tokio::time::timeout(BOOTSTRAP_TIME, look_up(&self.names.0)).await.unwrap_or_default());
        *known = Some((Instant::now(), Arc::clone(&fresh)));
        fresh
    }
}

async fn look_up(names: &[String]) -> Addresses {
    let mut found = Addresses::new();
    for name in names {
        match tokio::net::lookup_host((name.as_str(), 443)).await {
            Ok(addresses) => {
                found.insert(name.clone(), addresses.map(|address| address.ip()).collect());
            }
            Err(error) => tracing::debug!(%name, %error, "bootstrap name"),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_of_ours_is_answered_and_another_is_not_looked_up() {
        let bootstrap = Bootstrap { names: BootstrapNames::new(["localhost".to_owned()]), known: Mutex::new(None) };
        let known = bootstrap.addresses().await;
        assert_eq!(known.keys().collect::<Vec<_>>(), ["localhost"]);
        assert!(known["localhost"].iter().all(IpAddr::is_loopback));
    }
}
