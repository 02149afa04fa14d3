//! Which namespaces are ours. Each is written down before it is made, so that a lab that was killed can be swept up
//! later, and nothing else ever is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{LabError, tools};

const FOLDER: &str = "/run/wattle-lab";
/// Where `ip netns exec` looks for files of a namespace (ip-netns(8)).
const ETC: &str = "/etc/netns";

/// Makes a namespace and remembers that it is ours.
pub(crate) fn make(name: &str) -> Result<(), LabError> {
    fs::create_dir_all(FOLDER).map_err(|source| LabError::os(format!("making {FOLDER}"), source))?;
    let note = note(name);
    fs::write(&note, std::process::id().to_string())
        .map_err(|source| LabError::os(format!("writing {}", note.display()), source))?;
    tools::ip(&format!("netns add {name}"))?;
    tools::ip(&format!("-n {name} link set lo up")).map(drop)
}

/// Lays a file over one of `/etc`'s for programs that `ip netns exec` starts in one of our namespaces.
pub(crate) fn write_etc(name: &str, file: &str, text: &str) -> Result<(), LabError> {
    let folder = Path::new(ETC).join(name);
    fs::create_dir_all(&folder).map_err(|source| LabError::os(format!("making {}", folder.display()), source))?;
    let path = folder.join(file);
    fs::write(&path, text).map_err(|source| LabError::os(format!("writing {}", path.display()), source))
}

/// Removes one of our namespaces. Errors are of no use to a caller that is cleaning up.
pub(crate) fn remove(name: &str) {
    let note = note(name);
    if note.exists() {
        let _already_gone = tools::ip(&format!("netns del {name}"));
        let _never_made = fs::remove_dir_all(Path::new(ETC).join(name));
        let _already_gone = fs::remove_file(note);
    }
}

/// Removes what labs left behind whose process no longer runs.
pub(crate) fn sweep() {
    let Ok(notes) = fs::read_dir(FOLDER) else { return };
    for note in notes.flatten() {
        let maker = fs::read_to_string(note.path()).unwrap_or_default();
        if !maker.is_empty() && !Path::new("/proc").join(&maker).exists() {
            remove(&note.file_name().to_string_lossy());
        }
    }
}

fn note(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}
