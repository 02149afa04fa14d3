//! The shape of files: length, headers, names. What a reader trips over fails here, before a review.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::run;

const LINES_WARNED: usize = 500;
const LINES_MAX: usize = 800;
/// Words that say nothing about what a thing is.
const EMPTY_WORDS: &[&str] =
    &["manager", "helper", "helpers", "util", "utils", "common", "shared", "misc", "data", "info", "impl"];

/// Fails, naming every fault, unless all is tidy.
pub(crate) fn check() -> anyhow::Result<()> {
    let root = run::root();
    let mut sources = Vec::new();
    for floor in ["base", "core", "io", "apps", "lab", "xtask"] {
        collect(&root.join(floor), &mut sources);
    }
    let mut faults = Vec::new();
    for path in &sources {
        let text = fs::read_to_string(path)?;
        let shown = path.strip_prefix(&root).unwrap_or(path).display().to_string();
        faults.extend(judge(&shown, &text));
        let lines = text.lines().count();
        if lines > LINES_WARNED && lines <= LINES_MAX {
            eprintln!("tidy: {shown} has {lines} lines; split it by idea before {LINES_MAX}");
        }
    }
    if !faults.is_empty() {
        bail!("not tidy:\n  {}", faults.join("\n  "));
    }
    eprintln!("tidy: {} files", sources.len());
    Ok(())
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with(".cache") {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
    into.sort();
}

fn judge(shown: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        faults.push(format!("{shown}: {lines} lines; {LINES_MAX} is the most"));
    }
    if !text.starts_with("//!") {
        faults.push(format!("{shown}: says not what it is (`//!` comes first)"));
    }
    if shown.ends_with("/mod.rs") {
        faults.push(format!("{shown}: name it for what it holds, beside its folder"));
    }
    let crate_root = shown.ends_with("src/lib.rs") || shown.ends_with("src/main.rs");
    let may_be_unsafe = shown.starts_with("io/");
    if crate_root
        && !text.contains("#![forbid(unsafe_code)]")
        && !(may_be_unsafe && text.contains("#![deny(unsafe_code)]"))
    {
        faults.push(format!("{shown}: lacks #![forbid(unsafe_code)]"));
    }
    let name = shown.rsplit('/').next().unwrap_or(shown).trim_end_matches(".rs");
    if name.split('_').any(|word| EMPTY_WORDS.contains(&word)) && !shown.ends_with("data_threads.rs") {
        faults.push(format!("{shown}: the name says nothing; what is in it?"));
    }
    for (number, line) in text.lines().enumerate() {
        for marker in ["todo!(", "unimplemented!(", "FIXME", "#[ignore"] {
            if line.contains(marker) && !shown.ends_with("xtask/src/tidy.rs") {
                faults.push(format!("{shown}:{}: {marker}", number + 1));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_tidy() {
        check().unwrap();
    }

    #[test]
    fn faults_are_found() {
        assert!(judge("core/x/src/peer.rs", "//! A peer.\n").is_empty());
        assert_eq!(judge("core/x/src/peer.rs", "use std::fmt;\n").len(), 1);
        assert_eq!(judge("core/x/src/peer_util.rs", "//! What?\n").len(), 1);
        assert_eq!(judge("core/x/src/lib.rs", "//! A crate.\n").len(), 1);
        assert_eq!(judge("core/x/src/peer.rs", &format!("//! Long.\n{}", "\n".repeat(900))).len(), 1);
    }
}
