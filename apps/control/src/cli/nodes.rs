//! `wattle-control nodes`.

use clap::{Args, Subcommand};
use hyper::Method;

use super::door::{Door, part};
use super::{Form, table};
use crate::admin::documents::{
    ApproveRequest, DeclineRequest, DoneDocument, ExpireRequest, NodeDocument, PendingDocument, RenameRequest,
    TagsRequest,
};

pub(super) const EXAMPLES: &str = "Examples:
  wattle-control nodes list
  wattle-control nodes pending                             machines that wait to be let in
  wattle-control nodes approve https://vpn.example.com/register/abc --user alice
  wattle-control nodes approve-device laptop               where settings ask for device approval
  wattle-control nodes rename laptop alices-laptop
  wattle-control nodes tag web1 tag:server tag:web
  wattle-control nodes expire laptop                       it must sign in again, now
  wattle-control nodes expire laptop --never
  wattle-control nodes delete laptop
  wattle-control nodes list --json";

/// `nodes`
#[derive(Args)]
pub(crate) struct Nodes {
    #[command(flatten)]
    form: Form,
    #[command(subcommand)]
    verb: NodesVerb,
}

#[derive(Subcommand)]
enum NodesVerb {
    /// Show all machines in the network
    List,
    /// Show the machines that wait to be let in
    Pending,
    /// Let a waiting machine in
    Approve {
        /// What "nodes pending" shows, or the page that the machine was sent to
        id: String,
        /// Whose it becomes
        #[arg(long, value_name = "NAME")]
        user: String,
    },
    /// Let a machine take part that is registered but waits for device approval
    ApproveDevice {
        /// The node's name, number or address
        node: String,
    },
    /// Turn a waiting machine away
    Decline {
        /// What "nodes pending" shows, or the page that the machine was sent to
        id: String,
    },
    /// Name a node
    Rename {
        /// The node's name, number or address
        node: String,
        /// The name
        #[arg(required_unless_present = "follow_host")]
        name: Option<String>,
        /// Call it what its host calls itself, now and later
        #[arg(long, conflicts_with = "name")]
        follow_host: bool,
    },
    /// Tag a node. It stops belonging to its user
    Tag {
        /// The node's name, number or address
        node: String,
        /// All tags that it shall have
        #[arg(required = true, value_name = "tag:NAME")]
        tags: Vec<String>,
    },
    /// Have a node's key expire, so that it must sign in again
    Expire {
        /// The node's name, number or address
        node: String,
        /// When, such as 2027-01-31T12:00:00Z [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Let it stay for ever
        #[arg(long, conflicts_with = "at")]
        never: bool,
    },
    /// Remove a node
    Delete {
        /// The node's name, number or address
        node: String,
    },
}

impl Nodes {
    pub(super) async fn run(self, door: &Door) -> anyhow::Result<()> {
        let form = self.form;
        let alter = async |node: &str, what: &str, document: serde_json::Value| -> anyhow::Result<NodeDocument> {
            door.send(Method::POST, &format!("/nodes/{}/{what}", part(node)), &document).await
        };
        match self.verb {
            NodesVerb::List => {
                let nodes: Vec<NodeDocument> = door.read("/nodes").await?;
                let waiting: Vec<PendingDocument> = door.read("/pending").await?;
                form.show(&nodes, |nodes| match waiting.len() {
                    0 => listed(nodes),
                    number => {
                        format!("{}\n\n{number} waiting to be let in:\n{}", listed(nodes), waiting_list(&waiting))
                    }
                })
            }
            NodesVerb::Pending => {
                let waiting: Vec<PendingDocument> = door.read("/pending").await?;
                form.show(&waiting, |waiting| waiting_list(waiting))
            }
            NodesVerb::Approve { id: auth_id, user } => {
                let request = ApproveRequest { auth_id, user };
                let node: NodeDocument = door.send(Method::POST, "/nodes/approve", &request).await?;
                form.show(&node, |node| format!("{} is in, with {}.", node.name, node.addresses.join(" and ")))
            }
            NodesVerb::Decline { id: auth_id } => {
                let done: DoneDocument = door.send(Method::POST, "/nodes/decline", &DeclineRequest { auth_id }).await?;
                form.show(&done, |_| "The machine is turned away.".to_owned())
            }
            NodesVerb::ApproveDevice { node } => {
                let altered = alter(&node, "approve", serde_json::json!({})).await?;
                form.show(&altered, |altered| format!("{} takes part now.", altered.name))
            }
            NodesVerb::Rename { node, name, follow_host: _ } => {
                let altered = alter(&node, "rename", serde_json::to_value(RenameRequest { name })?).await?;
                form.show(&altered, |altered| format!("{node} is now {}.", altered.name))
            }
            NodesVerb::Tag { node, tags } => {
                let altered = alter(&node, "tags", serde_json::to_value(TagsRequest { tags })?).await?;
                form.show(&altered, |altered| format!("{} has {}.", altered.name, altered.tags.join(" ")))
            }
            NodesVerb::Expire { node, at, never } => {
                let altered = alter(&node, "expire", serde_json::to_value(ExpireRequest { at, never })?).await?;
                form.show(&altered, |altered| match (altered.expired, &altered.expires) {
                    (true, _) => format!("{} must sign in again.", altered.name),
                    (false, None) => format!("The key of {} never expires.", altered.name),
                    (false, Some(time)) => format!("The key of {} expires at {time}.", altered.name),
                })
            }
            NodesVerb::Delete { node } => {
                door.remove(&format!("/nodes/{}", part(&node))).await?;
                form.show(&DoneDocument {}, |_| format!("{node} is deleted."))
            }
        }
    }
}

fn listed(nodes: &[NodeDocument]) -> String {
    let rows = nodes.iter().map(|node| {
        let owner = node.user.clone().unwrap_or_else(|| node.tags.join(" "));
        let state = match (node.suspended, node.approved) {
            (true, _) => "suspended",
            (false, true) => "in",
            (false, false) => "waits for approval",
        };
        let seen = if node.online { "online".to_owned() } else { table::when(node.last_seen.as_deref(), "never") };
        let expires = if node.expired { "expired".to_owned() } else { table::when(node.expires.as_deref(), "never") };
        let address = node.addresses.first().cloned().unwrap_or_default();
        [node.id.to_string(), node.name.clone(), owner, address, node.os.clone(), state.to_owned(), seen, expires]
    });
    let head = ["NUMBER", "NAME", "OWNER", "ADDRESS", "OS", "STATE", "SEEN", "KEY EXPIRES"];
    table::table(head, rows, "No nodes yet: make a key with wattle-control keys create --user NAME")
}

fn waiting_list(waiting: &[PendingDocument]) -> String {
    let rows = waiting.iter().map(|machine| {
        let since = table::when(Some(&machine.since), "");
        [machine.auth_id.clone(), machine.host_name.clone(), machine.os.clone(), since, machine.machine_key.clone()]
    });
    table::table(["ID", "HOST", "OS", "SINCE", "MACHINE"], rows, "No machine waits to be let in.")
}
