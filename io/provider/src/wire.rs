//! Requests to providers.

use std::pin::Pin;

use http::{Request, Response, StatusCode};
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

    async fn exchange(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, DialError> {
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
