//! `wattle-control routes`.

use clap::{Args, Subcommand};
use hyper::Method;

use super::door::{Door, part};
use super::{Form, table};
use crate::admin::documents::{RouteDocument, RoutesRequest};

pub(super) const EXAMPLES: &str = "Examples:
  wattle-control routes list
  wattle-control routes approve router1 10.1.0.0/16 fd00:1::/64
  wattle-control routes approve router1 0.0.0.0/0            an exit node, for IPv6 too
  wattle-control routes withdraw router1 10.1.0.0/16

Routes that the policy's autoApprovers name need no approval.";

/// `routes`
#[derive(Args)]
pub(crate) struct Routes {
    #[command(flatten)]
    form: Form,
    #[command(subcommand)]
    verb: RoutesVerb,
}

#[derive(Subcommand)]
enum RoutesVerb {
    /// Show what nodes offer, and what of it is used
    List,
    /// Let a node serve routes
    Approve {
        /// The node's name, number or address
        node: String,
        /// Networks, such as 10.1.0.0/16
        #[arg(required = true)]
        routes: Vec<String>,
    },
    /// Let a node serve routes no longer
    Withdraw {
        /// The node's name, number or address
        node: String,
        /// Networks
        #[arg(required = true)]
        routes: Vec<String>,
    },
}

impl Routes {
    pub(super) async fn run(self, door: &Door) -> anyhow::Result<()> {
        let (node, request) = match self.verb {
            RoutesVerb::List => {
                let routes: Vec<RouteDocument> = door.read("/routes").await?;
                return self.form.show(&routes, |routes| listed(routes));
            }
            RoutesVerb::Approve { node, routes } => (node, RoutesRequest { approve: routes, withdraw: Vec::new() }),
            RoutesVerb::Withdraw { node, routes } => (node, RoutesRequest { approve: Vec::new(), withdraw: routes }),
        };
        let path = format!("/nodes/{}/routes", part(&node));
        let routes: Vec<RouteDocument> = door.send(Method::POST, &path, &request).await?;
        self.form.show(&routes, |routes| listed(routes))
    }
}

fn listed(routes: &[RouteDocument]) -> String {
    let rows = routes.iter().map(|route| [route.node.clone(), route.route.clone(), state(route).to_owned()]);
    table::table(["NODE", "ROUTE", "STATE"], rows, "No node offers a route: wattle set --advertise-routes 10.1.0.0/16")
}

fn state(route: &RouteDocument) -> &'static str {
    match (route.offered, route.approved) {
        (true, true) if route.primary || route.exit_node => "in use",
        (true, true) => "stands by",
        (true, false) => "waits for approval",
        (false, _) => "approved, not offered",
    }
}
