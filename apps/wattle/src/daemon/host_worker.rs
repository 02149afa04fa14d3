//! Keeps the host as the node wants it, beside the event loop: the kernel may take its time.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use wattle_host::{Desired, Host};

use super::input::Input;

/// The task that sets the host up.
pub(super) struct HostWorker {
    wanted: watch::Sender<Option<Desired>>,
    task: JoinHandle<Host>,
}

impl HostWorker {
    pub(super) fn start(host: Host, inputs: mpsc::Sender<Input>) -> Self {
        let (wanted, mut changes) = watch::channel(None::<Desired>);
        let task = tokio::spawn(async move {
            // Only the newest wish counts; those in between are never carried out.
            while changes.changed().await.is_ok() {
                let desired = changes.borrow_and_update().clone();
                let done = match &desired {
                    Some(desired) => host.apply(desired).await,
                    None => host.clear().await,
                };
                let problem = done.err().map(|error| error.to_string());
                let stands = desired.is_some();
                if inputs.send(Input::HostApplied { stands, problem }).await.is_err() {
                    break;
                }
            }
            host
        });
        Self { wanted, task }
    }

    /// What the host should have; `None`: nothing of ours.
    pub(super) fn want(&self, desired: Option<Desired>) {
        self.wanted.send_if_modified(|wanted| {
            let changed = *wanted != desired;
            *wanted = desired;
            changed
        });
    }

    /// Takes everything away and ends.
    pub(super) async fn finish(self) {
        drop(self.wanted);
        if let Ok(host) = self.task.await
            && let Err(error) = host.clear().await
        {
            tracing::warn!(%error, "routes of ours stay behind");
        }
    }
}
