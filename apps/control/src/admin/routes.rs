//! `/routes`: what nodes offer to lead to, and may.

use axum::extract::{Path, State};
use wattle_coordinator::{Command, Coordinator, Entry, NodeRoutes};
use wattle_netmap::{NodeId, Prefix};
use wattle_policy::is_exit_route;

use super::documents::{RouteDocument, RoutesRequest};
use super::json::Json;
use super::nodes;
use super::problem::Problem;
use crate::event_loop::LoopHandle;

type Answer = Result<Json<Vec<RouteDocument>>, Problem>;

pub(super) async fn list(State(tailnet): State<LoopHandle>) -> Answer {
    let routes = tailnet.read(|coordinator| coordinator.nodes().flat_map(|entry| of(entry, coordinator)).collect());
    Ok(Json(routes.await?))
}

/// Lets a node serve routes, or no longer.
pub(super) async fn change(
    State(tailnet): State<LoopHandle>,
    Path(node): Path<String>,
    Json(request): Json<RoutesRequest>,
) -> Answer {
    let node = nodes::by_name(&tailnet, &node).await?;
    let (approve, withdraw) = (prefixes(&request.approve)?, prefixes(&request.withdraw)?);
    let approved = tailnet.read(move |coordinator| coordinator.routes_of(node).map(|routes| routes.approved)).await?;
    let mut routes = approved.ok_or_else(|| Problem::not_found("the node is gone already"))?;
    if let Some(strange) = withdraw.iter().find(|route| !routes.contains(route)) {
        return Err(Problem::not_found(format!("{strange} is not approved for this node")));
    }
    // One default route stands for both, in both directions.
    let exit = withdraw.iter().any(is_exit_route);
    routes.retain(|route| !(withdraw.contains(route) || exit && is_exit_route(route)));
    routes.extend(approve);
    routes.sort_unstable();
    routes.dedup();
    tailnet.ask(Command::ApproveRoutes { node, routes }).await?;
    one(&tailnet, node).await
}

async fn one(tailnet: &LoopHandle, node: NodeId) -> Answer {
    let routes =
        tailnet.read(move |coordinator| coordinator.node(node).map(|entry| of(entry, coordinator)).unwrap_or_default());
    Ok(Json(routes.await?))
}

fn of(entry: &Entry, coordinator: &Coordinator) -> Vec<RouteDocument> {
    let NodeRoutes { advertised, approved, served, primary } =
        coordinator.routes_of(entry.record.id).unwrap_or_default();
    let mut all: Vec<Prefix> = advertised.iter().chain(&approved).copied().collect();
    all.sort_unstable();
    all.dedup();
    let document = |route: Prefix| RouteDocument {
        node: entry.record.label.clone(),
        route: route.to_string(),
        offered: advertised.contains(&route),
        approved: approved.contains(&route),
        served: served.contains(&route),
        primary: primary.contains(&route),
        exit_node: is_exit_route(&route),
    };
    all.into_iter().map(document).collect()
}

fn prefixes(texts: &[String]) -> Result<Vec<Prefix>, Problem> {
    let prefix = |text: &String| {
        text.parse::<Prefix>().map_err(|_| Problem::invalid(format!("\"{text}\" is no route: write 10.1.0.0/16")))
    };
    texts.iter().map(prefix).collect()
}
