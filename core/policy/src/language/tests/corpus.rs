//! Answers captured from the hosted service. They are kept beside the project, not in it: without them, nothing is said.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::super::read;

fn cases() -> Vec<Value> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found =
        here.ancestors().find_map(|above| fs::read_to_string(above.join("shared/corpus/policy/public.jsonl")).ok());
    match found {
        Some(text) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        None => {
            println!("skipped: no shared/corpus/policy/public.jsonl beside the project");
            Vec::new()
        }
    }
}

#[test]
fn captured_policies_are_accepted_and_refused_as_the_hosted_service_did() {
    let mut wrong = Vec::new();
    for case in cases() {
        let id = case["id"].as_str().unwrap();
        let policy = serde_json::to_string_pretty(&case["policy"]).unwrap();
        let answer = read(policy.as_bytes());
        let accepted = case["expect"]["code"] == 200;
        let message = case["expect"]["message"].as_str().unwrap_or_default();
        match answer {
            Ok(_) if accepted || message == "test(s) failed" => {}
            Err(problems) if !accepted && problems.to_string().contains(message) => {}
            other => wrong
                .push(format!("{id}: expected {message:?}, got {:?}", other.map(|_| ()).map_err(|e| e.to_string()))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
