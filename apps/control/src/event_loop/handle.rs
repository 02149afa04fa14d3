//! How the rest of the server speaks with the loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use wattle_coordinator::{
    AuthId, Command, Coordinator, FeedCache, Refusal, Reply, Report, SshVerdict, StreamId, Told, Update,
};
use wattle_keys::{MachinePublic, NodePublic};
use wattle_netmap::NodeId;
use wattle_store::StoreError;
use wattle_time::UnixTime;

use super::Message;
use super::members::Members;
use crate::map_stream::{JsonCache, MapStream};

/// The loop, for everybody else. Clones are cheap.
#[derive(Clone, Debug)]
pub(crate) struct LoopHandle {
    messages: mpsc::Sender<Message>,
    changes: watch::Receiver<u64>,
    members: Arc<Members>,
    counters: Arc<Counters>,
    json: Arc<JsonCache>,
}

/// Why a command was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be written.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The server is going down.
    #[error("the server is stopping: try again in a moment")]
    Stopping,
}

/// A machine that waits for an administrator, for the page that names it.
#[derive(Clone, Debug)]
pub(crate) struct PendingView {
    pub(crate) host_name: String,
    pub(crate) os: String,
    pub(crate) machine: MachinePublic,
    pub(crate) since: UnixTime,
}

/// Somebody who wants to log in by SSH, for the page that names them.
#[derive(Clone, Debug)]
pub(crate) struct SshCheckView {
    pub(crate) person: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) local_user: String,
    pub(crate) since: UnixTime,
    pub(crate) verdict: SshVerdict,
}

/// Counts for `/metrics`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) nodes: u64,
    pub(crate) online: u64,
    pub(crate) streams: u64,
    pub(crate) users: u64,
    pub(crate) commands_total: u64,
    pub(crate) commits_total: u64,
    pub(crate) refusals_total: u64,
    pub(crate) revision: u64,
}

/// The same, while they are counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    nodes: AtomicU64,
    online: AtomicU64,
    users: AtomicU64,
    revision: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(super) commands: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) refusals: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn note_state(&self, coordinator: &Coordinator) {
        let set = |counter: &AtomicU64, count: usize| counter.store(count as u64, Ordering::Relaxed);
        set(&self.nodes, coordinator.nodes().count());
        set(&self.online, coordinator.nodes().filter(|entry| entry.presence.is_online()).count());
        set(&self.users, coordinator.users().count());
        self.revision.store(coordinator.revision().0, Ordering::Relaxed);
    }
}

impl LoopHandle {
    pub(super) fn new(
        messages: mpsc::Sender<Message>,
        changes: watch::Receiver<u64>,
        members: Arc<Members>,
        counters: Arc<Counters>,
        json: Arc<JsonCache>,
    ) -> Self {
        Self { messages, changes, members, counters, json }
    }

    /// Has a command carried out. The answer comes when it is durable.
    pub(crate) async fn ask(&self, command: Command) -> Result<Reply, AskError> {
        let (answer, reply) = oneshot::channel();
        self.messages.send(Message::Ask(command, answer)).await.map_err(|_| AskError::Stopping)?;
        reply.await.map_err(|_| AskError::Stopping)?
    }

    /// Asks without waiting, for those who are just going away. A full queue is waited for by a task.
    pub(crate) fn tell(&self, command: Command) {
        let (answer, _nobody_waits) = oneshot::channel();
        if let Err(mpsc::error::TrySendError::Full(message)) = self.messages.try_send(Message::Ask(command, answer)) {
            let messages = self.messages.clone();
            tokio::spawn(async move { messages.send(message).await });
        }
    }

    /// Looks at the state.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Coordinator) -> T + Send + 'static,
    ) -> Result<T, AskError> {
        self.look(move |coordinator, _| look(coordinator)).await
    }

    /// What a node must be told after what it was told already; `None`: nothing more, for want of the node, or of the stream
    /// if one is named.
    pub(crate) async fn catch_up(
        &self,
        node: NodeId,
        stream: Option<StreamId>,
        mut told: Told,
    ) -> Option<(Update, Told)> {
        let update = self.look(move |coordinator, feed| {
            if stream.is_some() && coordinator.stream_of(node) != stream {
                return None;
            }
            let update = coordinator.catch_up(node, &mut told, feed);
            (!update.over).then_some((update, told))
        });
        update.await.ok().flatten()
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Coordinator, &mut FeedCache) -> T + Send + 'static,
    ) -> Result<T, AskError> {
        let (answer, seen) = oneshot::channel();
        let look = Box::new(move |coordinator: &Coordinator, feed: &mut FeedCache| {
            drop(answer.send(look(coordinator, feed)));
        });
        self.messages.send(Message::Read(look)).await.map_err(|_| AskError::Stopping)?;
        seen.await.map_err(|_| AskError::Stopping)
    }

    /// Waits until an administrator has decided about a registration, or it is gone, or time is up.
    pub(crate) async fn wait_for_approval(&self, auth_id: AuthId, _node_key: NodePublic, up_to: Duration) {
        self.wait_while(up_to, move |coordinator| coordinator.registration(&auth_id).is_some()).await;
    }

    /// Waits until an administrator has decided about an SSH check, or it is gone, or time is up.
    pub(crate) async fn wait_for_ssh(&self, auth_id: AuthId, up_to: Duration) {
        let waits = move |coordinator: &Coordinator| {
            coordinator.ssh_check(&auth_id).is_some_and(|check| check.verdict == SshVerdict::Waiting)
        };
        self.wait_while(up_to, waits).await;
    }

    async fn wait_while(&self, up_to: Duration, waits: impl Fn(&Coordinator) -> bool + Clone + Send + 'static) {
        let mut changes = self.changes.clone();
        let decided = async {
            loop {
                changes.mark_unchanged();
                let still = self.read(waits.clone()).await;
                if !still.unwrap_or(false) || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        let _time_is_up = tokio::time::timeout(up_to, decided).await;
    }

    /// Opens a node's map stream, or gives one whole map.
    pub(crate) async fn open_stream(
        &self,
        report: Report,
        compress: bool,
        one_shot: bool,
    ) -> Result<MapStream, AskError> {
        MapStream::open(self.clone(), report, compress, one_shot).await
    }

    /// Whether a node key is admitted.
    pub(crate) fn admits(&self, key: &NodePublic) -> bool {
        self.members.contains(key)
    }

    /// A machine that waits for an administrator.
    pub(crate) async fn pending_machine(&self, auth_id: AuthId) -> Option<PendingView> {
        let found = self.read(move |coordinator| {
            coordinator.registration(&auth_id).map(|pending| PendingView {
                host_name: pending.host.hostname.clone(),
                os: pending.host.os.clone(),
                machine: pending.machine,
                since: pending.created,
            })
        });
        found.await.ok().flatten()
    }

    /// Somebody who wants to log in by SSH.
    pub(crate) async fn ssh_check(&self, auth_id: AuthId) -> Option<SshCheckView> {
        let found = self.read(move |coordinator| {
            let check = coordinator.ssh_check(&auth_id)?;
            let name = |node| coordinator.node(node).map(|entry| entry.view.node.name.clone()).unwrap_or_default();
            let owner = check.user.and_then(|user| coordinator.users().find(|known| known.id == user));
            Some(SshCheckView {
                person: owner.map_or_else(|| "A tagged device".to_owned(), |user| user.login_name.clone()),
                from: name(check.from),
                to: name(check.to),
                local_user: check.local_user.clone(),
                since: check.created,
                verdict: check.verdict,
            })
        });
        found.await.ok().flatten()
    }

    /// Counts.
    pub(crate) fn figures(&self) -> Figures {
        let counters = &self.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            nodes: read(&counters.nodes),
            online: read(&counters.online),
            streams: read(&counters.streams),
            users: read(&counters.users),
            commands_total: read(&counters.commands),
            commits_total: read(&counters.commits),
            refusals_total: read(&counters.refusals),
            revision: read(&counters.revision),
        }
    }

    /// Whether the loop still works.
    pub(crate) fn is_running(&self) -> bool {
        !self.messages.is_closed()
    }

    /// Writes what is hot and ends the loop; all streams end with it.
    pub(crate) async fn stop(&self) {
        let _already_stopped = self.messages.send(Message::Stop).await;
        self.messages.closed().await;
    }

    /// Tells when something was applied, and ends when the loop does.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// The JSON that is made once for all streams.
    pub(crate) fn json(&self) -> &JsonCache {
        &self.json
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }
}
