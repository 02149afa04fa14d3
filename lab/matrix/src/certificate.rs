//! An authority of the lab and the certificate of its coordination server, so that everything is at port 443 as on the real
//! internet.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// Files in PEM.
pub(crate) struct Certificate {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Makes both for a name.
pub(crate) fn make(folder: &Path, name: &str) -> anyhow::Result<Certificate> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &authority)?;
    let made = Certificate {
        authority: folder.join("authority.pem"),
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
    };
    for (path, text) in
        [(&made.authority, authority.pem()), (&made.certificate, leaf.pem()), (&made.key, key.serialize_pem())]
    {
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(made)
}
