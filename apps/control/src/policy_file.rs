//! A policy that stands in a file and is read again when the file changes. A text that is refused leaves the policy in
//! force as it is, and is told once.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use anyhow::{Context, bail};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use wattle_policy::Problem;
use wattle_policy::limits::TEXT_BYTES_MAX;
use wattle_time::Instant;

use crate::admin::documents::PolicySetDocument;
use crate::event_loop::AskError;
use crate::limits::{POLICY_FILE_LOOK, POLICY_FILE_RETRY};
use crate::policy_desk::{DeskError, PolicyDesk, failed_tests};

/// The file, and what we have seen of it.
pub(crate) struct PolicyFile {
    path: PathBuf,
    desk: PolicyDesk,
    stamp: Option<Stamp>,
    /// Read last, whatever came of it.
    text: Option<Vec<u8>>,
    /// What was said of it last, and when it is tried again.
    refused: Option<(String, Instant)>,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What a look at the file came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing to do.
    Same,
    /// Its text is in force, as this revision.
    InForce(u64),
    /// It is not: with line and column.
    Refused(String),
    /// It is still not.
    StillRefused,
}

impl PolicyFile {
    pub(crate) fn new(path: PathBuf, desk: PolicyDesk) -> Self {
        Self { path, desk, stamp: None, text: None, refused: None }
    }

    /// The first look. A file that is refused is no reason to be down, as long as some policy was in force before; but
    /// a server without any would let everybody reach everybody.
    pub(crate) async fn begin(&mut self) -> anyhow::Result<()> {
        if let Look::Refused(problem) = self.look(true).await {
            if self.desk.head().await?.revision == 0 {
                bail!("{problem}");
            }
            tracing::error!("{problem} (the policy that was in force before stays)");
        }
        Ok(())
    }

    /// Looks again and again, and at once on SIGHUP, until told to stop.
    pub(crate) async fn watch(mut self, mut hangup: Signal, mut stopped: watch::Receiver<bool>) {
        loop {
            let at_once = tokio::select! {
                () = tokio::time::sleep(POLICY_FILE_LOOK) => false,
                _ = hangup.recv() => true,
                _ = stopped.wait_for(|stopped| *stopped) => return,
            };
            match self.look(at_once).await {
                Look::Same | Look::StillRefused => {}
                Look::InForce(revision) => tracing::info!(revision, "{} is in force", self.path.display()),
                Look::Refused(problem) => tracing::error!("{problem} (the policy in force stays)"),
            }
        }
    }

    /// Reads the file if it seems to have changed, or in any case.
    pub(crate) async fn look(&mut self, in_any_case: bool) -> Look {
        let now = wattle_clock::now();
        let due = self.refused.as_ref().is_some_and(|(_, again)| *again <= now);
        match self.read(in_any_case || due) {
            Ok(None) => Look::Same,
            Ok(Some(text)) => match self.put(text).await {
                Ok(done) => {
                    self.refused = None;
                    if done.locks_out {
                        tracing::warn!("with {} no administrator can reach anything any more", self.path.display());
                    }
                    Look::InForce(done.revision)
                }
                Err(problem) => self.refuse(problem),
            },
            Err(error) => self.refuse(format!("{error:#}")),
        }
    }

    fn refuse(&mut self, problem: String) -> Look {
        let again = wattle_clock::now() + POLICY_FILE_RETRY;
        match self.refused.replace((problem.clone(), again)) {
            Some((before, _)) if before == problem => Look::StillRefused,
            _ => Look::Refused(problem),
        }
    }

    /// The text, if it is another one; `in_any_case`: even if not.
    fn read(&mut self, in_any_case: bool) -> anyhow::Result<Option<Vec<u8>>> {
        let cannot = || format!("cannot read the policy file {}", self.path.display());
        let stamp = Stamp::of(&std::fs::metadata(&self.path).with_context(cannot)?);
        if self.stamp == Some(stamp) && !in_any_case {
            return Ok(None);
        }
        // One byte more than a policy may have: then it is refused for its size.
        let most = u64::try_from(TEXT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let mut text = Vec::new();
        let file = std::fs::File::open(&self.path).with_context(cannot)?;
        file.take(most).read_to_end(&mut text).with_context(cannot)?;
        // Somebody is writing just now: the next look will see all of it.
        if Stamp::of(&std::fs::metadata(&self.path).with_context(cannot)?) != stamp {
            return Ok(None);
        }
        self.stamp = Some(stamp);
        let is_new = self.text.as_ref() != Some(&text);
        self.text = Some(text.clone());
        Ok((is_new || in_any_case).then_some(text))
    }

    async fn put(&self, text: Vec<u8>) -> Result<PolicySetDocument, String> {
        // The reader says where text is not UTF-8.
        let text = match String::from_utf8(text) {
            Ok(text) => text,
            Err(error) => {
                let problems = wattle_policy::Policy::parse(error.as_bytes()).err();
                let problem = problems.as_ref().and_then(|problems| problems.0.first());
                return Err(problem.map_or_else(|| self.said("it is not UTF-8"), |problem| self.place(problem, 1)));
            }
        };
        self.desk.set_from_file(text.clone()).await.map_err(|error| self.words(&error, &text))
    }

    /// One line: where, what, and how much more there is.
    fn words(&self, error: &DeskError, text: &str) -> String {
        match error {
            DeskError::Wrong(problems) => {
                problems.0.first().map_or_else(String::new, |problem| self.place(problem, problems.0.len()))
            }
            DeskError::Ask(AskError::Refused(refusal)) => match failed_tests(refusal, text).as_deref() {
                Some(failures @ [first, ..]) => self.place(&first.within(text), failures.len()),
                Some([]) | None => self.said(&refusal.to_string()),
            },
            other => self.said(&other.to_string()),
        }
    }

    fn place(&self, problem: &Problem, count: usize) -> String {
        let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let more = if count > 1 { format!(", and {} more", count - 1) } else { String::new() };
        let Problem { line, column, message, .. } = problem;
        format!("{}:{line}:{column}: {message}{hint}{more}", self.path.display())
    }

    fn said(&self, words: &str) -> String {
        format!("{}: {words}", self.path.display())
    }
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_desk::tests::Lab;

    const GOOD: &str = r#"{"acls": [{"action": "accept", "src": ["*"], "dst": ["*:22"]}]}"#;

    #[tokio::test]
    async fn a_refused_file_leaves_the_policy_in_force_until_it_is_mended() {
        let lab = Lab::new().await;
        let path = lab.folder.path().join("policy.hujson");
        let mut file = PolicyFile::new(path.clone(), lab.desk_with_file(&path));
        std::fs::write(&path, GOOD).unwrap();
        file.begin().await.unwrap();
        assert_eq!(file.look(false).await, Look::Same);

        std::fs::write(&path, "{\n  \"acls\": [{\"action\": \"deny\"}]\n}").unwrap();
        let Look::Refused(problem) = file.look(false).await else { panic!("it is wrong") };
        assert!(problem.starts_with(&format!("{}:2:", path.display())), "{problem}");
        assert_eq!(file.look(false).await, Look::Same, "it is told once");
        assert_eq!(file.look(true).await, Look::StillRefused);
        assert_eq!(lab.desk.head().await.unwrap().text, GOOD);

        let mended = GOOD.replace("22", "443");
        std::fs::write(&path, &mended).unwrap();
        assert_eq!(file.look(false).await, Look::InForce(2));
        let head = lab.desk.head().await.unwrap();
        assert_eq!((head.text, head.author), (mended, format!("file {}", path.display())));

        std::fs::remove_file(&path).unwrap();
        assert!(matches!(file.look(false).await, Look::Refused(problem) if problem.contains("cannot read")));
        std::fs::write(&path, b"{\n \"acls\": \"\xff\"}").unwrap();
        assert!(matches!(file.look(false).await, Look::Refused(problem) if problem.contains(":2:")));
    }

    #[tokio::test]
    async fn a_file_whose_tests_fail_is_refused_with_their_line() {
        let lab = Lab::new().await;
        let path = lab.folder.path().join("policy.hujson");
        let mut file = PolicyFile::new(path.clone(), lab.desk_with_file(&path));
        std::fs::write(
            &path,
            "{\n\"acls\": [],\n\"tests\": [\n{\"src\": \"alice@\", \"accept\": [\"100.64.0.1:22\"]}]}",
        )
        .unwrap();
        let problem = file.begin().await.unwrap_err().to_string();
        assert!(problem.contains("policy.hujson:4:1: "), "{problem}");
    }

    #[tokio::test]
    async fn nothing_else_sets_the_policy_while_a_file_rules() {
        let lab = Lab::new().await;
        let desk = lab.desk_with_file(std::path::Path::new("/etc/policy.hujson"));
        let request = crate::admin::documents::PolicyRequest { text: GOOD.to_owned(), ..Default::default() };
        let refused = desk.set(request).await.unwrap_err();
        assert!(refused.to_string().contains("/etc/policy.hujson"), "{refused}");
        assert!(lab.desk.head().await.unwrap().revision == 0);
    }
}
