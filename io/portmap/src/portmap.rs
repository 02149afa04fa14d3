//! The handle that the program holds.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wattle_portmap_core::{Gateway, Mapping, Protocols, Seen};

use crate::limits::{NEWS, RELEASE_MAX};
use crate::worker::Worker;

/// A port that is kept mapped. Dropping it leaves the mapping to its end; [`Portmap::release`] takes it away.
#[derive(Debug)]
pub struct Portmap {
    wanted: watch::Sender<Wanted>,
    refresh: Arc<Notify>,
    task: JoinHandle<()>,
}

/// How it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The mapping, if there is one.
    pub mapping: Option<Mapping>,
    /// What the router was found to know.
    pub seen: Seen,
}

/// What the program wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) gateway: Option<Gateway>,
    pub(crate) protocols: Protocols,
    /// Counts changes of the network, since another one may look the same.
    pub(crate) network: u64,
}

impl Portmap {
    /// Starts a task that waits for a gateway, and gives where to read what becomes of it. `mark` is set on each socket
    /// (`SO_MARK`), `seed` are bytes that nobody can guess. Needs a tokio runtime.
    pub fn start(mark: Option<u32>, protocols: Protocols, seed: [u8; 32]) -> (Self, mpsc::Receiver<Status>) {
        let (wanted, wishes) = watch::channel(Wanted { gateway: None, protocols, network: 0 });
        let (news, status) = mpsc::channel(NEWS);
        let refresh = Arc::new(Notify::new());
        let worker = Worker::new(seed, mark, protocols, news);
        let task = tokio::spawn(worker.run(wishes, Arc::clone(&refresh)));
        (Self { wanted, refresh, task }, status)
    }

    /// The router and our address there: at the start, and after each change of the network also when it looks the same.
    pub fn set_gateway(&self, gateway: Option<Gateway>) {
        self.wanted.send_modify(|wanted| {
            wanted.gateway = gateway;
            wanted.network += 1;
        });
    }

    /// Which protocols may be spoken.
    pub fn set_protocols(&self, protocols: Protocols) {
        self.wanted.send_if_modified(|wanted| {
            let changed = wanted.protocols != protocols;
            wanted.protocols = protocols;
            changed
        });
    }

    /// Whether the mapping stands is of interest now.
    pub fn refresh(&self) {
        self.refresh.notify_one();
    }

    /// Gives the mapping back and ends.
    pub async fn release(self) {
        let Self { wanted, task, .. } = self;
        drop(wanted);
        if timeout(RELEASE_MAX, task).await.is_err() {
            tracing::debug!("the router takes too long to take the mapping away");
        }
    }
}
