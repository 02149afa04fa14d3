//! All members, and what they have seen of each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use wattle_link::{ClientTls, ControlUrl, Dialer};

use crate::Member;

/// Members of one tailnet.
#[derive(Debug)]
pub struct Swarm {
    members: Vec<Member>,
}

impl Swarm {
    /// Lets so many members join at once.
    pub fn join(url: &str, auth_key: &str, count: usize) -> anyhow::Result<Self> {
        let url: ControlUrl = url.parse()?;
        let dialer = Arc::new(Dialer::new(ClientTls::new()?, None));
        let join =
            |number| Member::join(Arc::clone(&dialer), url.clone(), auth_key.to_owned(), &format!("swarm-{number}"));
        Ok(Self { members: (0..count).map(join).collect::<anyhow::Result<_>>()? })
    }

    /// Waits until every member sees every other one, and gives how long that took.
    pub async fn all_see_all(&mut self, patience: Duration) -> anyhow::Result<Duration> {
        let (started, others) = (Instant::now(), self.members.len() - 1);
        for member in &mut self.members {
            let left = patience.saturating_sub(started.elapsed());
            let complete = member.wait_for(|view| view.map.self_node.is_some() && view.map.peers.len() == others);
            let waited = tokio::time::timeout(left, complete).await;
            let view = member.view();
            waited.with_context(|| {
                format!(
                    "after {patience:?} a member sees {} of {others} others; refused: {:?}",
                    view.map.peers.len(),
                    view.refused
                )
            })??;
        }
        Ok(started.elapsed())
    }

    /// The members.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The members, to wait on.
    pub fn members_mut(&mut self) -> &mut [Member] {
        &mut self.members
    }
}
