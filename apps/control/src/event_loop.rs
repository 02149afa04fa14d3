//! The one writer. Commands come in, are decided, committed, applied and answered; then everybody who waits is woken.
//!
//! It is a task with a bounded queue. Commands that are waiting together are committed together: a server that two
//! hundred nodes come back to syncs its disk a few times, not two hundred.

mod handle;
mod members;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use wattle_coordinator::{Change, Command, Coordinator, Dice, Entry, FeedCache, Now, Reply};
use wattle_keys::NodePublic;
use wattle_store::{Store, StoreError};
use wattle_time::Instant;

use crate::limits::{COMMANDS_TOGETHER_MAX, COMMANDS_WAITING_MAX, COMMIT_RETRY};
use crate::map_stream::JsonCache;

use handle::Counters;
pub(crate) use handle::{AskError, LoopHandle};
use members::Members;

/// Looks at the state, and may remember what it spelt out.
type Look = Box<dyn FnOnce(&Coordinator, &mut FeedCache) + Send>;

/// Something for the loop.
enum Message {
    Ask(Command, oneshot::Sender<Result<Reply, AskError>>),
    /// Looks at the state, between commands.
    Read(Look),
    Stop,
}

/// Starts the loop. `on_gone` is called with every node key that is no longer admitted.
pub(crate) fn spawn(
    coordinator: Coordinator,
    store: Store,
    dice: Dice,
    on_gone: impl Fn(&NodePublic) + Send + 'static,
) -> (LoopHandle, JoinHandle<()>) {
    let (sender, messages) = mpsc::channel(COMMANDS_WAITING_MAX);
    let (changed, changes) = watch::channel(0);
    let json = Arc::new(JsonCache::default());
    let (members, counters) = (Arc::new(Members::new(&coordinator)), Arc::new(Counters::default()));
    let handle = LoopHandle::new(sender, changes, Arc::clone(&members), Arc::clone(&counters), Arc::clone(&json));
    let event_loop = EventLoop {
        coordinator,
        store,
        dice,
        messages,
        changed,
        members,
        counters,
        json,
        feed: FeedCache::default(),
        on_gone: Box::new(on_gone),
        rest_until: Instant::ORIGIN,
    };
    (handle, tokio::spawn(event_loop.run()))
}

struct EventLoop {
    coordinator: Coordinator,
    store: Store,
    dice: Dice,
    messages: mpsc::Receiver<Message>,
    /// Counts what was applied; who waits for news waits for this.
    changed: watch::Sender<u64>,
    members: Arc<Members>,
    counters: Arc<Counters>,
    json: Arc<JsonCache>,
    feed: FeedCache,
    on_gone: Box<dyn Fn(&NodePublic) + Send>,
    /// After a write that failed the loop's own commands, which would be due again at once, rest until then.
    rest_until: Instant,
}

/// Commands that were decided and whose changes are to be committed together.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    answers: Vec<(oneshot::Sender<Result<Reply, AskError>>, Reply)>,
}

impl EventLoop {
    async fn run(mut self) {
        self.counters.note_state(&self.coordinator);
        loop {
            let due = self.coordinator.next_timeout(now()).map(|deadline| deadline.latest.max(self.rest_until));
            let message = match due.map(wattle_clock::until) {
                // What is due comes first, else a steady stream of commands would keep it waiting.
                Some(Duration::ZERO) => None,
                Some(wait) => tokio::time::timeout(wait, self.messages.recv()).await.ok(),
                None => Some(self.messages.recv().await),
            };
            match message {
                None => self.command(Command::Tick).await,
                Some(Some(Message::Stop) | None) => break,
                Some(Some(message)) => {
                    if self.take(message).await.is_break() {
                        break;
                    }
                }
            }
        }
        self.command(Command::SaveReach).await;
        self.messages.close();
        self.store.close().await;
    }

    /// A command of the loop's own.
    async fn command(&mut self, command: Command) {
        let (answer, _nobody_waits) = oneshot::channel();
        let backup = self.coordinator.clone();
        let mut batch = Batch::default();
        self.decide(command, answer, &mut batch);
        self.commit(batch, backup).await;
    }

    /// Takes a message and what waits behind it, up to the first that is not a command.
    async fn take(&mut self, first: Message) -> std::ops::ControlFlow<()> {
        let mut next = Some(first);
        let mut batch = Batch::default();
        let backup = self.coordinator.clone();
        let mut taken = 0;
        let mut then = None;
        while let Some(message) = next {
            match message {
                Message::Ask(command, answer) => self.decide(command, answer, &mut batch),
                other => {
                    then = Some(other);
                    break;
                }
            }
            taken += 1;
            next = if taken < COMMANDS_TOGETHER_MAX { self.messages.try_recv().ok() } else { None };
        }
        self.commit(batch, backup).await;
        match then {
            Some(Message::Stop) => return std::ops::ControlFlow::Break(()),
            Some(Message::Read(look)) => look(&self.coordinator, &mut self.feed),
            Some(Message::Ask(..)) | None => {}
        }
        std::ops::ControlFlow::Continue(())
    }

    /// Decides a command and applies it, so that the next one is decided on top of it.
    fn decide(&mut self, command: Command, answer: oneshot::Sender<Result<Reply, AskError>>, batch: &mut Batch) {
        Counters::add(&self.counters.commands, 1);
        let now = now();
        match self.coordinator.decide(&mut self.dice, command, now) {
            Ok(decision) => {
                self.coordinator.apply(&decision.changes, now);
                batch.changes.extend(decision.changes);
                batch.answers.push((answer, decision.reply));
            }
            Err(refusal) => {
                Counters::add(&self.counters.refusals, 1);
                let _nobody_waits = answer.send(Err(AskError::Refused(refusal)));
            }
        }
    }

    /// Commits, then answers and wakes. When the commit fails, nothing has happened.
    async fn commit(&mut self, batch: Batch, backup: Coordinator) {
        if batch.changes.is_empty() {
            return self.answer(batch);
        }
        if batch.changes.iter().any(Change::is_durable) {
            Counters::add(&self.counters.commits, 1);
            if let Err(error) = self.store.commit(&batch.changes).await {
                tracing::error!(%error, "nothing was changed, because it could not be written");
                self.coordinator = backup;
                self.rest_until = now().mono + COMMIT_RETRY;
                return Self::fail(batch, &Arc::new(error));
            }
        }
        if batch.changes.iter().any(changes_members) {
            for gone in self.members.update(&self.coordinator) {
                (self.on_gone)(&gone);
            }
        }
        for change in &batch.changes {
            if let Change::NodeDeleted(node) = change {
                self.json.forget(*node);
            }
        }
        self.counters.note_state(&self.coordinator);
        self.answer(batch);
        self.changed.send_modify(|count| *count += 1);
    }

    fn answer(&self, batch: Batch) {
        for (answer, reply) in batch.answers {
            let _nobody_waits = answer.send(Ok(reply));
        }
    }

    fn fail(batch: Batch, error: &Arc<StoreError>) {
        for (answer, _) in batch.answers {
            let _nobody_waits = answer.send(Err(AskError::Store(Arc::clone(error))));
        }
    }
}

/// Whether a change can let a key in or out.
fn changes_members(change: &Change) -> bool {
    matches!(
        change,
        Change::NodeAdded(_)
            | Change::NodeChanged(_)
            | Change::NodeDeleted(_)
            | Change::KeyExpired(_)
            | Change::UserChanged(_)
    )
}

/// Both clocks.
pub(crate) fn now() -> Now {
    Now { mono: wattle_clock::now(), wall: wattle_clock::unix_now() }
}

/// Whether a node takes part, and its key is valid now.
fn is_member(entry: &Entry, now: Now) -> bool {
    entry.is_admitted() && !entry.record.is_expired(now.wall)
}
