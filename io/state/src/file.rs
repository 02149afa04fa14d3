//! A file that is replaced as a whole.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// The largest file that is read or written: thousands of times what a node's keys and settings need.
pub const BYTES_MAX: usize = 16 << 20;

/// The permission bits that let anybody but the owner in.
const OTHERS: u32 = 0o077;

/// How the names of files that are not yet whole start.
const TEMPORARY: &str = ".wattle-state-";

/// A small file, and what stands in it.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    folder: PathBuf,
    contents: Option<Vec<u8>>,
    loose_mode: Option<u32>,
}

/// What [`StateFile::write`] had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The file was replaced.
    Changed,
    /// It already held these bytes.
    Unchanged,
}

/// Why the state cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system is mounted read-only.
    #[error("{path} is on a read-only file system: choose another place with --statedir")]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// No space, or the quota is used up.
    #[error("the disk that holds {path} is full")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another user's file or folder.
    #[error("not permitted to use {path}: run as its owner, or choose another place with --statedir")]
    Permission {
        /// The file.
        path: PathBuf,
    },
    /// More than [`BYTES_MAX`].
    #[error("{path} is too large to be a state file")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A path without a file name.
    #[error("{path} does not name a file")]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// Anything else.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StateFile {
    /// Reads the file if there is one. Makes its folder, for the owner only, if there is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StateError> {
        let path = path.into();
        let folder = match (path.parent(), path.file_name()) {
            (Some(folder), Some(_)) if folder.as_os_str().is_empty() => PathBuf::from("."),
            (Some(folder), Some(_)) => folder.to_owned(),
            _ => return Err(StateError::NoFile { path }),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| StateError::at(&path, error))?;
        sweep(&folder);
        let (contents, loose_mode) = read(&path)?;
        Ok(Self { path, folder, contents, loose_mode })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What stands on disk; `None`: there is no file yet.
    pub fn contents(&self) -> Option<&[u8]> {
        self.contents.as_deref()
    }

    /// The file's permission bits when others than its owner may read or write it: worth a warning, for it holds
    /// private keys. The next write that changes it makes it the owner's alone.
    pub fn loose_mode(&self) -> Option<u32> {
        self.loose_mode
    }

    /// Makes the file hold `bytes`. On an error it holds what it held.
    pub fn write(&mut self, bytes: &[u8]) -> Result<Written, StateError> {
        if self.contents.as_deref() == Some(bytes) {
            return Ok(Written::Unchanged);
        }
        if bytes.len() > BYTES_MAX {
            return Err(StateError::TooLarge { path: self.path.clone() });
        }
        self.replace(bytes).map_err(|error| StateError::at(&self.path, error))?;
        self.contents = Some(bytes.to_vec());
        self.loose_mode = None;
        Ok(Written::Changed)
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        // Made with mode 0600, in the same folder so that renaming stays within one file system.
        let mut next = NamedTempFile::with_prefix_in(TEMPORARY, &self.folder)?;
        next.as_file().set_permissions(Permissions::from_mode(0o600))?;
        next.write_all(bytes)?;
        next.as_file().sync_all()?;
        next.persist(&self.path).map_err(|error| error.error)?;
        // The rename itself is only on disk when the folder is.
        File::open(&self.folder)?.sync_all()
    }
}

/// Removes what a crash between making and renaming left behind. It holds keys, so it shall not lie about; that it
/// cannot be removed is no reason to stop.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in
        entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()))
    {
        let _stays: io::Result<()> = fs::remove_file(entry.path());
    }
}

/// The bytes, and the mode when it is loose.
fn read(path: &Path) -> Result<(Option<Vec<u8>>, Option<u32>), StateError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((None, None)),
        Err(error) => return Err(StateError::at(path, error)),
    };
    let mode = file.metadata().map_err(|error| StateError::at(path, error))?.permissions().mode() & 0o777;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| StateError::at(path, error))?;
    if bytes.len() > BYTES_MAX {
        return Err(StateError::TooLarge { path: path.to_owned() });
    }
    Ok((Some(bytes), (mode & OTHERS != 0).then_some(mode)))
}

impl StateError {
    fn at(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path },
            ErrorKind::PermissionDenied => Self::Permission { path },
            _ => Self::Io { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_written_is_read_after_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/state.json");
        let mut file = StateFile::open(&path).unwrap();
        assert_eq!(file.contents(), None);
        assert_eq!(file.write(b"{}").unwrap(), Written::Changed);
        assert_eq!(file.contents(), Some(&b"{}"[..]));
        assert_eq!(StateFile::open(&path).unwrap().contents(), Some(&b"{}"[..]));
        assert_eq!((mode(&path), mode(&home.path().join("a/b"))), (0o600, 0o700));
    }

    #[test]
    fn the_same_bytes_are_not_written_again() {
        let home = tempfile::tempdir().unwrap();
        let mut file = StateFile::open(home.path().join("state.json")).unwrap();
        file.write(b"one").unwrap();
        let inode = fs::metadata(file.path()).unwrap().ino();
        assert_eq!(file.write(b"one").unwrap(), Written::Unchanged);
        assert_eq!(fs::metadata(file.path()).unwrap().ino(), inode);
        assert_eq!(file.write(b"two").unwrap(), Written::Changed);
        assert_ne!(fs::metadata(file.path()).unwrap().ino(), inode);
    }

    #[test]
    fn a_file_that_others_can_read_is_noticed_and_tightened_by_the_next_write() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.json");
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let mut file = StateFile::open(&path).unwrap();
        assert_eq!(file.loose_mode(), Some(0o644));
        file.write(b"new").unwrap();
        assert_eq!((file.loose_mode(), mode(&path)), (None, 0o600));
    }

    #[test]
    fn a_failed_write_leaves_the_old_bytes_and_no_litter() {
        let home = tempfile::tempdir().unwrap();
        let mut file = StateFile::open(home.path().join("state.json")).unwrap();
        file.write(b"old").unwrap();
        let outcome = file.write(&vec![0; BYTES_MAX + 1]);
        assert!(matches!(outcome, Err(StateError::TooLarge { .. })));
        // A folder in the file's place cannot be replaced by a file: the rename fails, after everything else worked.
        fs::remove_file(file.path()).unwrap();
        fs::create_dir(file.path()).unwrap();
        assert!(matches!(file.write(b"new"), Err(StateError::Io { .. })));
        assert_eq!(file.contents(), Some(&b"old"[..]));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_disk_says_so() {
        let full = StateError::at(Path::new("/x"), io::Error::from_raw_os_error(28));
        assert_eq!(full.to_string(), "the disk that holds /x is full");
        let read_only = StateError::at(Path::new("/x"), io::Error::from_raw_os_error(30));
        assert!(matches!(read_only, StateError::ReadOnly { .. }));
    }

    #[test]
    fn left_overs_of_a_crash_are_swept() {
        let home = tempfile::tempdir().unwrap();
        let half = home.path().join(".wattle-state-Ab12");
        fs::write(&half, b"half").unwrap();
        let mut file = StateFile::open(home.path().join("state.json")).unwrap();
        assert!(!half.exists());
        file.write(b"whole").unwrap();
        assert_eq!(StateFile::open(file.path()).unwrap().contents(), Some(&b"whole"[..]));
    }

    #[test]
    fn a_path_without_a_file_name_is_refused() {
        for path in ["/", "", ".."] {
            assert!(matches!(StateFile::open(path), Err(StateError::NoFile { .. })), "{path:?}");
        }
    }
}
