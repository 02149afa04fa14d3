//! `policy eval` against answers captured from the hosted service: every facet of every case must agree.
//!
//! The captures are not part of the project. Where they are absent this test says so and checks nothing.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;

#[test]
fn every_captured_answer_is_ours_too() {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|above| above.join("shared/corpus/policy"));
    let Some(corpus) = above.find(|corpus| corpus.join("public.jsonl").exists()) else {
        eprintln!("skipped: no shared/corpus/policy beside the project");
        return;
    };
    let (cases, check) = (corpus.join("public.jsonl"), corpus.join("check.py"));
    let mut eval = Command::new(env!("CARGO_BIN_EXE_wattle-control"));
    let output = eval.args(["policy", "eval", "--cases"]).arg(&cases).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results.jsonl");
    std::fs::write(&results, &output.stdout).unwrap();
    let verdict = Command::new("python3").arg(check).arg(cases).arg(results).arg("-v").output().unwrap();
    let words = String::from_utf8_lossy(&verdict.stdout);
    assert!(verdict.status.success(), "{words}{}", String::from_utf8_lossy(&verdict.stderr));
    assert!(words.contains("answered: "), "{words}");
}
