//! TLS as a client: certificates are checked against the platform's roots, a pin, or in tests not at all.

use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::identity::TlsError;
use super::provider;
use super::verifier::PinVerifier;

pub(super) const PIN_PREFIX: &str = "sha256-raw:";

/// How a server's certificate is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A certificate for this name by an authority that the platform trusts.
    Name(String),
    /// The certificate with this `sha256-raw:` hash, whoever signed it.
    Pin(String),
    /// Any certificate. Only tests may.
    Anything,
}

impl Trust {
    /// By the name that a DERP map gives, which may be a pin.
    pub fn from_cert_name(name: &str) -> Self {
        if name.starts_with(PIN_PREFIX) { Self::Pin(name.to_owned()) } else { Self::Name(name.to_owned()) }
    }
}

/// Whom we believe. Cheap to clone; sessions are resumed among clones.
#[derive(Clone)]
pub struct ClientTls {
    named: Arc<ClientConfig>,
    provider: Arc<CryptoProvider>,
}

impl ClientTls {
    /// Believes the platform's authorities, or those known to browsers when the platform has none (small containers).
    pub fn new() -> Result<Self, TlsError> {
        let provider = provider();
        let verifier: Arc<dyn ServerCertVerifier> = match Verifier::new(provider.clone()) {
            Ok(verifier) => Arc::new(verifier),
            Err(error) => {
                tracing::debug!(%error, "no certificate authorities on this system: using built-in ones");
                let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                    .build()
                    .map_err(|error| TlsError::Unfit(error.to_string()))?
            }
        };
        Ok(Self { named: Arc::new(config(verifier, provider.clone())?), provider })
    }

    /// Believes the authorities in this PEM text, and no other.
    pub fn trusting_only(authorities: &[u8]) -> Result<Self, TlsError> {
        let provider = provider();
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(authorities) {
            let authority = authority.map_err(|_| TlsError::NoCertificate)?;
            roots.add(authority).map_err(|error| TlsError::Unfit(error.to_string()))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| TlsError::Unfit(error.to_string()))?;
        Ok(Self { named: Arc::new(config(verifier, provider.clone())?), provider })
    }

    fn config_for(&self, trust: &Trust) -> Result<Arc<ClientConfig>, TlsError> {
        let pin = match trust {
            Trust::Name(_) => return Ok(self.named.clone()),
            Trust::Pin(pin) => Some(pin.clone()),
            Trust::Anything => None,
        };
        let verifier = Arc::new(PinVerifier::new(pin, self.provider.clone()));
        config(verifier, self.provider.clone()).map(Arc::new)
    }
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientTls(..)")
    }
}

/// Starts TLS on a connection to `host`.
pub(crate) async fn dial(
    tls: &ClientTls,
    trust: &Trust,
    host: &str,
    tcp: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let name = match trust {
        Trust::Name(name) => name.as_str(),
        Trust::Pin(_) | Trust::Anything => host,
    };
    let name =
        ServerName::try_from(name.to_owned()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let config = tls.config_for(trust).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, tcp).await
}

fn config(verifier: Arc<dyn ServerCertVerifier>, provider: Arc<CryptoProvider>) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Unfit(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // Upgrades exist in HTTP/1.1 only.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
