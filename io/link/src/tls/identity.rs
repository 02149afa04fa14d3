//! A server's certificate and key: from files, or made here and pinned by those who are told its hash.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use wattle_keys::NodePublic;

use super::meta::meta_certificate;
use super::provider;

/// A certificate chain with its key.
#[derive(Clone)]
pub struct ServerIdentity {
    config: Arc<ServerConfig>,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    pin: String,
}

impl ServerIdentity {
    /// Reads a chain, the server's own certificate first, and its key.
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| TlsError::Unreadable(path.display().to_string(), error.to_string()))
        };
        Self::from_pem(&read(certificate)?, &read(key)?)
    }

    /// The same from memory.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| TlsError::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        Self::new(chain, key)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, TlsError> {
        let pin = pin(chain.first().ok_or(TlsError::NoCertificate)?);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain.clone(), key.clone_key()))
            .map_err(|error| TlsError::Unfit(error.to_string()))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), chain, key: Arc::new(key), pin })
    }

    /// Tells clients the key of the relay behind it already in the TLS handshake, so that they need not wait for it: by one
    /// more certificate at the end of the chain, which vouches for nothing.
    pub fn announcing(&self, relay: &NodePublic) -> Result<Self, TlsError> {
        let mut chain = self.chain.clone();
        chain.push(meta_certificate(relay)?);
        Self::new(chain, self.key.clone_key())
    }

    /// Makes a certificate for these host names and addresses, signed by itself. Also gives its PEM texts, certificate
    /// and key, to keep: a new certificate has a new pin.
    pub fn self_signed(names: &[String]) -> Result<(Self, SelfSignedPem), TlsError> {
        let made = rcgen::KeyPair::generate().and_then(|key| {
            let mut params = rcgen::CertificateParams::new(names)?;
            params.distinguished_name = rcgen::DistinguishedName::new();
            let name = names.first().map_or("wattle", String::as_str);
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            // Clients go by the pin, not by dates.
            params.not_before = rcgen::date_time_ymd(2024, 1, 1);
            params.not_after = rcgen::date_time_ymd(2099, 1, 1);
            Ok(SelfSignedPem { certificate: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
        });
        let pem = made.map_err(|error| TlsError::Unfit(error.to_string()))?;
        Ok((Self::from_pem(pem.certificate.as_bytes(), pem.key.as_bytes())?, pem))
    }

    /// What a DERP map writes as `CertName` to pin this certificate: `sha256-raw:` and the hash of its DER form.
    pub fn pin(&self) -> &str {
        &self.pin
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }
}

impl std::fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServerIdentity({})", self.pin)
    }
}

/// The PEM texts of a certificate that was made here. The key is a secret: files that hold it are for their owner only.
pub struct SelfSignedPem {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

pub(super) fn pin(certificate: &CertificateDer<'_>) -> String {
    let hash = Sha256::digest(certificate);
    hash.iter().fold(String::from(super::client::PIN_PREFIX), |text, byte| format!("{text}{byte:02x}"))
}

/// Why there is no TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, String),
    /// No certificate in it.
    #[error("the certificate file holds no PEM certificate (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// No key in it.
    #[error("the key file holds no PEM private key (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// They do not fit each other, say.
    #[error("certificate and key cannot be used: {0}")]
    Unfit(String),
}
