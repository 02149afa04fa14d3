//! `GET /metrics`: figures in the OpenMetrics text format, read when asked for.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use wattle_relay_io::RelayHandle;

use super::Site;
use crate::event_loop::LoopHandle;

pub(super) fn registry(tailnet: &LoopHandle, relay: Option<&RelayHandle>) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(TailnetFigures(tailnet.clone())));
    if let Some(relay) = relay {
        registry.register_collector(Box::new(relay.clone()));
    }
    registry
}

pub(super) async fn text(State(site): State<Arc<Site>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &site.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

struct TailnetFigures(LoopHandle);

impl fmt::Debug for TailnetFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TailnetFigures")
    }
}

impl Collector for TailnetFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let of = self.0.figures();
        let now = [
            ("nodes", "Nodes of the tailnet", of.nodes),
            ("nodes_online", "Nodes that hold a map stream", of.online),
            ("streams", "Map streams open", of.streams),
            ("users", "Users", of.users),
        ];
        for (name, help, value) in now {
            let name = format!("wattle_control_{name}");
            let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            value.encode(encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?)?;
        }
        let totals = [
            ("commands", "Commands decided", of.commands_total),
            ("commits", "Transactions committed", of.commits_total),
            ("refusals", "Commands refused", of.refusals_total),
            ("changes", "Changes of the tailnet since the start", of.revision),
        ];
        for (name, help, value) in totals {
            let name = format!("wattle_control_{name}");
            ConstCounter::new(value).encode(encoder.encode_descriptor(&name, help, None, MetricType::Counter)?)?;
        }
        Ok(())
    }
}
