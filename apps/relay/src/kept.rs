//! What the relay keeps from one start to the next: its key, and a certificate it made itself.
//! Were they new each time, clients would not trust it after a restart.

use std::path::Path;

use anyhow::{Context, bail};
use wattle_keys::NodePrivate;
use wattle_link::ServerIdentity;
use wattle_state::StateFile;

/// A certificate with the pin by which clients know it, unless an authority vouches for it.
pub(crate) struct Identity {
    pub(crate) tls: ServerIdentity,
    pub(crate) pin: Option<String>,
}

/// A certificate that somebody else made and vouches for.
pub(crate) fn identity_from_files(certificate: &Path, key: &Path) -> anyhow::Result<Identity> {
    Ok(Identity { tls: ServerIdentity::from_pem_files(certificate, key)?, pin: None })
}

/// The certificate that was made at the first start. Its names are those of that time: pinned clients that dial by
/// another name are told to remove the file.
pub(crate) fn self_signed(folder: &Path, names: &[String]) -> anyhow::Result<Identity> {
    let mut file = StateFile::open(folder.join("relay-tls.pem"))?;
    let tls = match file.contents() {
        Some(pem) => ServerIdentity::from_pem(pem, pem)
            .with_context(|| format!("{} is damaged; remove it to get a new one", file.path().display()))?,
        None => {
            let (tls, pem) = ServerIdentity::self_signed(names)?;
            file.write(format!("{}{}", pem.certificate, pem.key).as_bytes())?;
            tls
        }
    };
    let pin = Some(tls.pin().to_owned());
    Ok(Identity { tls, pin })
}

/// The key by which clients know this relay.
pub(crate) fn relay_key(folder: &Path) -> anyhow::Result<NodePrivate> {
    let mut file = StateFile::open(folder.join("relay.key"))?;
    if let Some(mode) = file.loose_mode() {
        bail!("{} may be read by others (mode {mode:o}); chmod 600 it", file.path().display());
    }
    match file.contents() {
        Some(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| NodePrivate::from_secret_text(text.trim()).ok())
            .with_context(|| format!("{} holds no relay key; remove it to get a new one", file.path().display())),
        None => {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).context("the system gives no randomness")?;
            let key = NodePrivate::from_bytes(bytes);
            file.write(format!("{}\n", key.to_secret_text()).as_bytes())?;
            Ok(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_keeps_key_and_pin() {
        let folder = std::env::temp_dir().join(format!("wattle-relay-kept-{}", std::process::id()));
        let names = ["relay.example".to_owned()];
        let first = (relay_key(&folder).unwrap(), self_signed(&folder, &names).unwrap().pin);
        let second = (relay_key(&folder).unwrap(), self_signed(&folder, &names).unwrap().pin);
        assert_eq!(first, second);
        std::fs::write(folder.join("relay.key"), "nonsense").unwrap();
        assert!(relay_key(&folder).unwrap_err().to_string().contains("remove it"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
