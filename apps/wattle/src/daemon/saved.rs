//! What survives a restart: keys and preferences. One JSON file, written only when it changed.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use wattle_keys::{MachinePrivate, NodePrivate};
use wattle_state::{StateError, StateFile};
use wattle_wire::local::Prefs;

/// The file's name in the state folder.
const FILE: &str = "wattled.state";

/// What survives a restart.
pub(super) struct Saved {
    /// Identity on the control channel: made once.
    pub(super) machine_key: MachinePrivate,
    /// Identity among peers: there while we are signed in.
    pub(super) node_key: Option<NodePrivate>,
    /// Names our log; random.
    pub(super) log_id: String,
    /// What people want.
    pub(super) prefs: Prefs,
    file: StateFile,
}

/// The file's form.
#[derive(Serialize, Deserialize)]
struct OnDisk {
    machine_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node_key: Option<String>,
    #[serde(default)]
    log_id: String,
    #[serde(default)]
    prefs: Prefs,
}

impl Saved {
    /// Reads the file, or makes the keys of a new node and writes it.
    pub(super) fn open(folder: &Path, seed: impl Fn() -> anyhow::Result<[u8; 32]>) -> anyhow::Result<Self> {
        let file = StateFile::open(folder.join(FILE))?;
        if let Some(mode) = file.loose_mode() {
            tracing::warn!(path = %file.path().display(), "others may read the state file (mode {mode:o}); it is tightened at the next write");
        }
        let damaged =
            || format!("{} is damaged: restore it, or move it away to start as a new node", file.path().display());
        let mut saved = match file.contents() {
            Some(bytes) => {
                let disk: OnDisk = serde_json::from_slice(bytes).with_context(damaged)?;
                let machine_key = MachinePrivate::from_secret_text(&disk.machine_key).with_context(damaged)?;
                let node_key = disk.node_key.as_deref().map(NodePrivate::from_secret_text);
                let node_key = node_key.transpose().with_context(damaged)?;
                Self { machine_key, node_key, log_id: disk.log_id, prefs: disk.prefs, file }
            }
            None => {
                let machine_key = MachinePrivate::from_bytes(seed()?);
                Self { machine_key, node_key: None, log_id: String::new(), prefs: Prefs::default(), file }
            }
        };
        if saved.log_id.is_empty() {
            saved.log_id = seed()?.iter().map(|byte| format!("{byte:02x}")).collect();
        }
        saved.write()?;
        Ok(saved)
    }

    /// Writes what changed.
    pub(super) fn write(&mut self) -> Result<(), StateError> {
        let disk = OnDisk {
            machine_key: self.machine_key.to_secret_text(),
            node_key: self.node_key.as_ref().map(NodePrivate::to_secret_text),
            log_id: self.log_id.clone(),
            prefs: self.prefs.clone(),
        };
        // Our own texts and numbers always have a JSON form.
        let bytes = serde_json::to_vec_pretty(&disk).unwrap_or_default();
        self.file.write(&bytes).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> anyhow::Result<[u8; 32]> {
        Ok([7; 32])
    }

    #[test]
    fn keys_and_preferences_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut saved = Saved::open(folder.path(), seed).unwrap();
        let machine = saved.machine_key.public();
        saved.node_key = Some(NodePrivate::from_bytes([9; 32]));
        saved.prefs.hostname = "ash".to_owned();
        saved.write().unwrap();
        let again = Saved::open(folder.path(), || anyhow::bail!("no new keys")).unwrap();
        assert_eq!(again.machine_key.public(), machine);
        assert_eq!(again.node_key, Some(NodePrivate::from_bytes([9; 32])));
        assert_eq!(again.prefs.hostname, "ash");
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), b"{\"machine_key\":\"privkey:zz\"}").unwrap();
        let error = Saved::open(folder.path(), seed).err().unwrap();
        assert!(format!("{error:#}").contains("wattled.state is damaged"), "{error:#}");
        assert_eq!(std::fs::read(folder.path().join(FILE)).unwrap(), b"{\"machine_key\":\"privkey:zz\"}");
    }
}
