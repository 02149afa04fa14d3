//! The language: what it means, what it refuses, where and in which words.

mod claims;
mod corpus;
mod definitions;
mod properties;
mod report;
mod rules;
mod ssh;

use super::document::Document;
use super::read;

/// A policy that must be right.
fn accepted(policy: &str) -> Document {
    read(policy.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.report("policy.hujson")))
}

/// Each problem of a policy that must be wrong: the text it points at, the message, the hint.
fn refused(policy: &str) -> Vec<(String, String, String)> {
    let problems = read(policy.as_bytes()).expect_err("the policy must be refused");
    let pointed = |at: crate::hujson::Span| policy[at.start as usize..at.end as usize].to_owned();
    problems.0.into_iter().map(|p| (pointed(p.at), p.message, p.hint.unwrap_or_default())).collect()
}

/// The only problem of a policy: it points at this text and says this; the hint has that in it.
#[track_caller]
fn refuses(policy: &str, at: &str, message: &str, hint: &str) {
    let problems = refused(policy);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let (pointed, said, hinted) = &problems[0];
    assert_eq!((pointed.as_str(), said.as_str()), (at, message));
    assert!(hinted.contains(hint), "{hinted:?} lacks {hint:?}");
}
