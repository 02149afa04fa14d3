//! A relay's counters in the Prometheus text format.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::RelayHandle;

impl fmt::Debug for RelayHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayHandle({})", self.public_key())
    }
}

/// Register with `registry.register_collector(Box::new(relay.clone()))`.
impl Collector for RelayHandle {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let of = self.counters();
        let stun = self.stun_counters();
        let now = [
            ("connections", "Connections open now, logged in or not", of.connections),
            ("clients", "Connections logged in now", of.clients),
            ("home_clients", "Clients that call this relay their home", of.home_clients),
        ];
        for (name, help, value) in now {
            let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let name = format!("wattle_relay_{name}");
            value.encode(encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?)?;
        }
        let totals = [
            ("connections_taken", "Connections ever taken", of.connections_total),
            ("turned_away", "Connections turned away because the relay is full", of.turned_away_total),
            ("logins", "Logins admitted", of.logins_total),
            ("refused", "Logins not admitted", of.refused_total),
            ("malformed", "Connections cut for what they sent", of.malformed_total),
            ("login_timeouts", "Connections cut because the login took too long", of.login_timeouts_total),
            ("packets_received", "Packets that clients sent", of.packets_received_total),
            ("bytes_received", "Bytes of packets that clients sent", of.bytes_received_total),
            ("packets_forwarded", "Packets queued for their receiver", of.packets_forwarded_total),
            ("bytes_forwarded", "Bytes of packets queued for their receiver", of.bytes_forwarded_total),
            ("disco_forwarded", "Forwarded packets that looked like disco", of.disco_forwarded_total),
            ("dropped_unknown", "Packets for a key that is not here", of.dropped_unknown_total),
            ("dropped_queue_full", "Packets that gave way to newer ones", of.dropped_queue_full_total),
            ("dropped_control", "Control frames lost to clients that do not read", of.dropped_control_total),
            ("peer_gone", "Peer-gone frames queued", of.peer_gone_total),
            ("pings", "Pings answered", of.pings_total),
            ("unknown_frames", "Frames of unknown types skipped", of.unknown_frames_total),
            ("rate_limited", "Delays by the rate limit", of.rate_limited_total),
            ("stun_answered", "STUN requests answered", stun.answered_total),
            ("stun_malformed", "Packets to the STUN port that were ignored", stun.malformed_total),
        ];
        for (name, help, value) in totals {
            let name = format!("wattle_relay_{name}");
            ConstCounter::new(value).encode(encoder.encode_descriptor(&name, help, None, MetricType::Counter)?)?;
        }
        Ok(())
    }
}
