//! What people do with the policy: look at it, try another one, put one in force, go back to an older one. The
//! administrators' socket and the console both work here.
//!
//! What takes time happens outside the event loop, on a clone of its roster.

mod difference;
mod explain;
mod lines;
mod names;
#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use wattle_coordinator::{Command, NewPolicy, PolicyRevision, Refusal, Reply};
use wattle_policy::{Policy, Problems, Roster, hujson};
use wattle_store::{PolicyHistory, StoreError};

use crate::admin::documents::{
    CellDocument, CheckDocument, DifferenceDocument, DifferenceRequest, ExplainDocument, ExplainRequest,
    FormatDocument, MatrixDocument, MatrixQuery, PolicyDocument, PolicyRequest, PolicySetDocument, ProblemDocument,
    RestoreRequest, RevisionDocument, TestDocument,
};
use crate::event_loop::{AskError, LoopHandle};
use crate::limits::{CELLS_LISTED_MAX, POLICY_AUTHOR_CHARS, POLICY_NOTE_CHARS};
use lines::Lines;
use names::{Scene, holds};

/// The desk. Clones are cheap.
#[derive(Clone, Debug)]
pub(crate) struct PolicyDesk {
    tailnet: LoopHandle,
    history: PolicyHistory,
    /// The file that rules, if one does.
    file: Option<Arc<PathBuf>>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    /// The server refused, or is going down.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// History was not read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The text is no policy.
    #[error("{0}")]
    Wrong(Problems),
    /// No administrator could reach anything.
    #[error(
        "this policy would lock every administrator out: their devices could reach nothing any more. Confirm it if that \
         is what you want"
    )]
    LocksOut,
    /// A file rules.
    #[error("the policy comes from the file {}: change it there, the server reads it again by itself", .0.display())]
    FileRules(PathBuf),
    /// A revision that is not kept.
    #[error("there is no revision {0} of the policy: see wattle-control policy history")]
    NoRevision(u64),
    /// A name that nothing has.
    #[error("\"{0}\" is no node, no user with a node, no tag of a node and no address: see wattle-control nodes list")]
    Unknown(String),
    /// A question that makes no sense.
    #[error("{0}")]
    Question(String),
    /// Work outside the loop broke.
    #[error("the server failed to work this out")]
    Broken,
}

impl From<Problems> for DeskError {
    fn from(problems: Problems) -> Self {
        Self::Wrong(problems)
    }
}

impl PolicyDesk {
    pub(crate) fn new(tailnet: LoopHandle, history: PolicyHistory, file: Option<PathBuf>) -> Self {
        Self { tailnet, history, file: file.map(Arc::new) }
    }

    /// The policy in force.
    pub(crate) async fn head(&self) -> Result<PolicyDocument, DeskError> {
        let head = self.history.newest().await?;
        let document = head.map(|revision| document(revision, true)).unwrap_or_default();
        Ok(PolicyDocument {
            current: true,
            file: self.file.as_ref().map(|path| path.display().to_string()),
            ..document
        })
    }

    /// A policy that is or was in force.
    pub(crate) async fn revision(&self, number: u64) -> Result<PolicyDocument, DeskError> {
        let found = self.history.revision(number).await?.ok_or(DeskError::NoRevision(number))?;
        let newest = self.history.newest().await?.map(|revision| revision.number);
        Ok(document(found, newest == Some(number)))
    }

    /// All that is kept, newest first.
    pub(crate) async fn revisions(&self) -> Result<Vec<RevisionDocument>, DeskError> {
        let heads = self.history.heads().await?;
        let document = |(index, head): (usize, wattle_store::RevisionHead)| RevisionDocument {
            number: head.number,
            at: head.at.to_string(),
            author: head.author,
            note: head.note,
            size: head.size,
            current: index == 0,
        };
        Ok(heads.into_iter().enumerate().map(document).collect())
    }

    /// Puts a policy in force.
    pub(crate) async fn set(&self, request: PolicyRequest) -> Result<PolicySetDocument, DeskError> {
        match &self.file {
            Some(path) => Err(DeskError::FileRules(PathBuf::clone(path))),
            None => self.put(request).await,
        }
    }

    /// Puts a policy in force that stands in the file that rules.
    pub(crate) async fn set_from_file(&self, text: String) -> Result<PolicySetDocument, DeskError> {
        let author = self.file.as_ref().map(|path| format!("file {}", path.display())).unwrap_or_default();
        self.put(PolicyRequest { text, author, confirm_lockout: true, ..PolicyRequest::default() }).await
    }

    async fn put(&self, request: PolicyRequest) -> Result<PolicySetDocument, DeskError> {
        let PolicyRequest { text, author, note, if_revision, confirm_lockout } = request;
        for (what, text, most) in [("the author", &author, POLICY_AUTHOR_CHARS), ("the note", &note, POLICY_NOTE_CHARS)]
        {
            if text.chars().count() > most {
                return Err(DeskError::Question(format!("{what} has more than {most} characters")));
            }
        }
        let (scene, wanted) = (self.scene().await?, text.clone());
        let seen = scene.revision;
        let locks_out = outside_the_loop(move || {
            let after = scene.roster.under(Arc::new(Policy::parse(wanted.as_bytes())?));
            Ok(difference::locks_out(&scene, &scene.roster, &after))
        });
        let locks_out = locks_out.await?;
        if locks_out && !confirm_lockout {
            return Err(DeskError::LocksOut);
        }
        let new = NewPolicy { text, author, note, expected: if_revision };
        match self.tailnet.ask(Command::SetPolicy(Box::new(new))).await? {
            Reply::PolicySet { revision } => Ok(PolicySetDocument { revision, changed: revision != seen, locks_out }),
            _ => Err(DeskError::Broken),
        }
    }

    /// Puts a policy in force again, as a new revision.
    pub(crate) async fn restore(&self, request: RestoreRequest) -> Result<PolicySetDocument, DeskError> {
        let RestoreRequest { revision, author, note, if_revision, confirm_lockout } = request;
        let text = self.revision(revision).await?.text;
        let note = if note.is_empty() { format!("restored from revision {revision}") } else { note };
        self.set(PolicyRequest { text, author, note, if_revision, confirm_lockout }).await
    }

    /// What changes for whom.
    pub(crate) async fn difference(&self, request: DifferenceRequest) -> Result<DifferenceDocument, DeskError> {
        let DifferenceRequest { text, revision, against } = request;
        let after = match (text, revision) {
            (Some(_), Some(_)) => return Err(DeskError::Question("compare a text or a revision, not both".to_owned())),
            (Some(text), None) => Some(text),
            (None, Some(number)) => Some(self.revision(number).await?.text),
            (None, None) => None,
        };
        let before = match against {
            Some(number) => Some(self.revision(number).await?.text),
            None => None,
        };
        let (scene, in_force) = (self.scene().await?, self.text_in_force().await?);
        outside_the_loop(move || {
            let same_text = after.as_ref().unwrap_or(&in_force) == before.as_ref().unwrap_or(&in_force);
            let under = |text: Option<String>| -> Result<Roster, Problems> {
                match text {
                    Some(text) => Ok(scene.roster.under(Arc::new(Policy::parse(text.as_bytes())?))),
                    None => Ok(scene.roster.clone()),
                }
            };
            let (before, after) = (under(before)?, under(after)?);
            let difference = difference::difference(&scene, &before, &after);
            Ok(DifferenceDocument { same_text, against: against.unwrap_or(difference.against), ..difference })
        })
        .await
    }

    /// Runs the tests of a policy, by default of the one in force, on the tailnet as it is.
    pub(crate) async fn test(&self, text: Option<String>) -> Result<TestDocument, DeskError> {
        let scene = self.scene().await?;
        let text = match text {
            Some(text) => text,
            None => self.text_in_force().await?,
        };
        outside_the_loop(move || {
            let policy = policy_of(&text)?;
            let tests = policy.document().tests.len() + policy.document().ssh_tests.len();
            let failures = scene.roster.under(policy).run_tests();
            let failures = failures.iter().map(|failure| ProblemDocument::of_failure(failure, &text)).collect();
            Ok(TestDocument { tests, failures })
        })
        .await
    }

    /// Why somebody may reach something, or why not.
    pub(crate) async fn explain(&self, request: ExplainRequest) -> Result<ExplainDocument, DeskError> {
        let scene = self.scene().await?;
        let text = match &request.text {
            Some(text) => text.clone(),
            None => self.text_in_force().await?,
        };
        outside_the_loop(move || {
            let other = match &request.text {
                Some(text) => Some(scene.roster.under(Arc::new(Policy::parse(text.as_bytes())?))),
                None => None,
            };
            explain::explain(&scene, other.as_ref().unwrap_or(&scene.roster), &text, &request)
        })
        .await
    }

    /// Who reaches whom, as far as their names hold the words asked for.
    pub(crate) async fn matrix(&self, query: MatrixQuery) -> Result<MatrixDocument, DeskError> {
        let (scene, text) = (self.scene().await?, self.text_in_force().await?);
        outside_the_loop(move || {
            let (names, lines) = (&scene.names, Lines::of(&text));
            let has = |parties: &[wattle_policy::Party], wanted: &str| {
                wanted.is_empty() || parties.iter().any(|party| holds(&names.party(party), wanted))
            };
            let (who, whom) = (query.who.trim(), query.whom.trim());
            let mut cells = scene.roster.matrix();
            cells.retain(|cell| has(&cell.who, who) && has(&cell.whom, whom));
            let document = |cell: &wattle_policy::Cell| CellDocument {
                who: names.parties(&cell.who, who),
                whom: names.parties(&cell.whom, whom),
                own: cell.own,
                access: cell.access.to_string(),
                rules: cell.rules.iter().map(|rule| lines.rule(rule)).collect(),
            };
            Ok(MatrixDocument {
                revision: scene.revision,
                more: cells.len().saturating_sub(CELLS_LISTED_MAX),
                cells: cells.iter().take(CELLS_LISTED_MAX).map(document).collect(),
            })
        })
        .await
    }

    async fn scene(&self) -> Result<Scene, DeskError> {
        Ok(self.tailnet.read(Scene::of).await?)
    }

    async fn text_in_force(&self) -> Result<String, DeskError> {
        Ok(self.history.newest().await?.map(|revision| revision.text).unwrap_or_default())
    }
}

/// What a text says, without the tailnet.
pub(crate) fn check(text: &str) -> Result<CheckDocument, Problems> {
    let policy = Policy::parse(text.as_bytes())?;
    let note = |spot: &wattle_policy::language::document::Spot<&'static str>| {
        let message = format!("\"{}\" has no effect here: it is set in the server's configuration", spot.what);
        ProblemDocument::of(&wattle_policy::Problem::new(text.as_bytes(), spot.at, message, None))
    };
    let notes = policy.document().without_effect.iter().map(note).collect();
    Ok(CheckDocument { rules: policy.rule_count(), notes })
}

/// A text as it is usually laid out.
pub(crate) fn format(text: &str) -> Result<FormatDocument, Problems> {
    match hujson::format(text.as_bytes()) {
        Ok(laid_out) => Ok(FormatDocument { changed: laid_out != text, text: laid_out }),
        Err(error) => {
            let start = u32::try_from(error.offset).unwrap_or(u32::MAX);
            let at = hujson::Span { start, end: start.saturating_add(1) };
            Err(Problems(vec![wattle_policy::Problem::new(text.as_bytes(), at, error.message, None)]))
        }
    }
}

/// The refusal for the tests that a policy fails, with their places, if that is what it is.
pub(crate) fn failed_tests(refusal: &Refusal, text: &str) -> Option<Vec<ProblemDocument>> {
    match refusal {
        Refusal::PolicyTests(failures) => {
            Some(failures.iter().map(|failure| ProblemDocument::of_failure(failure, text)).collect())
        }
        _ => None,
    }
}

fn policy_of(text: &str) -> Result<Arc<Policy>, Problems> {
    match text.is_empty() {
        true => Ok(Arc::new(Policy::allow_all())),
        false => Policy::parse(text.as_bytes()).map(Arc::new),
    }
}

fn document(revision: PolicyRevision, current: bool) -> PolicyDocument {
    PolicyDocument {
        text: revision.text,
        revision: revision.number,
        at: Some(revision.at.to_string()),
        author: revision.author,
        note: revision.note,
        current,
        file: None,
    }
}

async fn outside_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeskError> + Send + 'static,
) -> Result<T, DeskError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| DeskError::Broken)?
}
