//! The server's private key of the control channel: a file of its own, so that a copy of the database gives nobody the key.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use wattle_keys::MachinePrivate;

use crate::StoreError;

/// Reads the key, or makes it from `fresh` random bytes. The file is its owner's alone and appears whole or not at all.
pub fn load_or_create_machine_key(path: &Path, fresh: [u8; 32]) -> Result<MachinePrivate, StoreError> {
    let failed = |error: &io::Error| StoreError::from_io(path, error);
    match fs::read_to_string(path) {
        Ok(text) => {
            let key = MachinePrivate::from_secret_text(text.trim());
            key.map_err(|error| StoreError::damaged(path, format!("no machine key in it: {error}")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = MachinePrivate::from_bytes(fresh);
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            // Temporary files are made with mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
            writeln!(file, "{}", key.to_secret_text()).map_err(|error| failed(&error))?;
            file.as_file().sync_all().map_err(|error| failed(&error))?;
            file.persist(path).map_err(|error| failed(&error.error))?;
            fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(&error))?;
            Ok(key)
        }
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("noise.key");
        let key = load_or_create_machine_key(&path, [1; 32]).unwrap();
        assert_eq!(load_or_create_machine_key(&path, [2; 32]).unwrap(), key);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_holds_no_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("noise.key");
        fs::write(&path, "privkey:12").unwrap();
        let error = load_or_create_machine_key(&path, [1; 32]).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "privkey:12");
    }
}
