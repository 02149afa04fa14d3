//! All committed inputs pass through their targets, on any toolchain.

use std::path::{Path, PathBuf};

use wattle_fuzz::{TARGETS, Target};

fn inputs(folder: &str, name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("a folder of inputs").path())
        .collect();
    files.sort();
    files
}

fn replay(target: Target, files: &[PathBuf]) {
    for file in files {
        // Shown when the target panics.
        eprintln!("{} {}", target.name, file.display());
        (target.run)(&std::fs::read(file).expect("an input"));
    }
}

#[test]
fn seeds_pass() {
    for target in TARGETS {
        let files = inputs("seeds", target.name);
        assert!(!files.is_empty(), "{} has no seeds", target.name);
        replay(target, &files);
    }
}

#[test]
fn regressions_pass() {
    for target in TARGETS {
        replay(target, &inputs("regressions", target.name));
    }
}

#[test]
fn every_seed_passes_every_quick_target_cut_anywhere() {
    // What one target takes for a policy is noise to another.
    let folders = TARGETS.iter().flat_map(|target| inputs("seeds", target.name));
    for file in folders {
        let bytes = std::fs::read(&file).expect("an input");
        let step = bytes.len() / 50 + 1;
        for target in TARGETS.into_iter().filter(|target| !target.is_slow) {
            for end in (0..=bytes.len()).step_by(step) {
                (target.run)(&bytes[..end]);
            }
        }
    }
}
