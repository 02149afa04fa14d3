//! Requests to providers.

use std::net::IpAddr;
use std::pin::Pin;

use http::{Request, Response, StatusCode, Uri};
use openidconnect::AsyncHttpClient;
use serde::de::DeserializeOwned;
use wattle_link::{ClientTls, DialError, Dialer};

use crate::config::ProviderConfig;
use crate::error::{ConfigError, ProviderError};
use crate::limits::{ANSWER_MAX, EXCHANGE_MAX};

/// How a provider is reached.
#[derive(Clone, Debug)]
pub(crate) struct Wire(Dialer);

impl Wire {
    pub(crate) fn new(config: &ProviderConfig) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::Authorities { provider: config.name.clone(), reason };
        let tls = match &config.ca_file {
            Some(path) => {
                let pem =
                    std::fs::read(path).map_err(|error| wrong(format!("cannot read {}: {error}", path.display())))?;
                ClientTls::trusting_only(&pem)
            }
            None => ClientTls::new(),
        };
        Ok(Self(Dialer::new(tls.map_err(|error| wrong(error.to_string()))?, None)))
    }

    /// Secrets go along, also to addresses that only the provider names: it is TLS, or stays on this machine.
    async fn exchange(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, DialError> {
        if !is_private(request.uri()) {
            return Err(DialError::Unreachable {
                target: request.uri().host().unwrap_or_default().to_owned(),
                reason: "its address must begin with https://".to_owned(),
            });
        }
        let answer = self.0.exchange(request, ANSWER_MAX, EXCHANGE_MAX).await?;
        Ok(answer.map(|body| body.to_vec()))
    }

    /// An answer in JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T, ProviderError> {
        let answer = self.exchange(request).await.map_err(ProviderError::unreachable)?;
        match answer.status() {
            StatusCode::OK => serde_json::from_slice(answer.body()).map_err(ProviderError::invalid),
            status if status.is_server_error() => Err(ProviderError::unreachable(format!("it answers {status}"))),
            status => Err(ProviderError::denied(format!("it answers {status}"))),
        }
    }
}

impl<'wire> AsyncHttpClient<'wire> for Wire {
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, DialError>> + Send + 'wire>>;

    fn call(&'wire self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}

/// Whether nobody on the way reads what goes there.
fn is_private(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let on_this_machine = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("https") || on_this_machine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_travel_in_tls_or_not_at_all() {
        for private in ["https://id.example/token", "http://127.0.0.1:9/token", "http://[::1]:9/", "http://localhost/"]
        {
            assert!(is_private(&Uri::from_static(private)), "{private}");
        }
        for open in ["http://id.example/token", "http://192.0.2.1/", "http://localhost.id.example/", "http://10.0.0.1/"]
        {
            assert!(!is_private(&Uri::from_static(open)), "{open}");
        }
    }
}
