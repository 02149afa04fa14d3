//! Refusals as JSON: a status, a sentence, and what programs and editors can use.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use wattle_coordinator::{Refusal, RefusalKind};
use wattle_policy::Problems;

use super::documents::{ErrorDocument, ProblemDocument};
use crate::event_loop::AskError;
use crate::policy_desk::{DeskError, failed_tests};

/// Why something was not done.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) document: ErrorDocument,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, document: ErrorDocument { error: sentence.into(), ..ErrorDocument::default() } }
    }

    pub(crate) fn not_found(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, sentence)
    }

    pub(crate) fn invalid(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    /// What programs know it by.
    fn code(mut self, code: &str) -> Self {
        code.clone_into(&mut self.document.code);
        self
    }

    fn problems(mut self, problems: Vec<ProblemDocument>) -> Self {
        self.document.problems = problems;
        self
    }

    /// What the desk refused. `text` is the policy that it was about.
    pub(crate) fn of_desk(error: DeskError, text: &str) -> Self {
        match error {
            DeskError::Ask(AskError::Refused(refusal)) => {
                let failures = failed_tests(&refusal, text);
                let problem = Self::from(AskError::Refused(refusal));
                match failures {
                    Some(failures) => problem.problems(failures),
                    None => problem,
                }
            }
            other => Self::from(other),
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let sentence = error.to_string();
        match error {
            AskError::Refused(Refusal::Policy(problems)) => Self::from(problems),
            AskError::Refused(refusal) => {
                let status = match refusal.kind() {
                    RefusalKind::Invalid => StatusCode::BAD_REQUEST,
                    RefusalKind::NotFound => StatusCode::NOT_FOUND,
                    RefusalKind::Conflict => StatusCode::CONFLICT,
                    RefusalKind::Forbidden => StatusCode::FORBIDDEN,
                    RefusalKind::Full => StatusCode::INSUFFICIENT_STORAGE,
                };
                match refusal {
                    Refusal::PolicyTests(_) => Self::new(status, sentence).code("policy-tests"),
                    Refusal::PolicyMoved { .. } => {
                        Self::new(StatusCode::PRECONDITION_FAILED, sentence).code("policy-moved")
                    }
                    _ => Self::new(status, sentence),
                }
            }
            AskError::Store(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, sentence),
            AskError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence),
        }
    }
}

impl From<Problems> for Problem {
    fn from(problems: Problems) -> Self {
        let sentence = problems.to_string();
        Self::invalid(sentence).code("policy-invalid").problems(problems.0.iter().map(ProblemDocument::of).collect())
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        let sentence = error.to_string();
        match error {
            DeskError::Ask(error) => Self::from(error),
            DeskError::Wrong(problems) => Self::from(problems),
            DeskError::LocksOut => Self::new(StatusCode::CONFLICT, sentence).code("policy-lockout"),
            DeskError::FileRules(_) => Self::new(StatusCode::CONFLICT, sentence).code("policy-file"),
            DeskError::NoRevision(_) | DeskError::Unknown(_) => Self::not_found(sentence),
            DeskError::Question(_) => Self::invalid(sentence),
            DeskError::Store(_) | DeskError::Broken => Self::new(StatusCode::INTERNAL_SERVER_ERROR, sentence),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self.document)).into_response()
    }
}
