//! `wattle netcheck`: what the network around this machine allows.

use std::fmt::Write;
use std::time::Duration;

use anyhow::bail;
use clap::{ArgAction, Args};
use tokio::time::sleep;
use wattle_wire::control::DerpMap;
use wattle_wire::local::NetcheckReport;

use super::api::Api;
use super::values::duration;
use super::{Outcome, print, print_json};

/// Measure the network around this machine
///
/// The daemon measures with the socket that it uses, so this is what its connections meet.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  wattle netcheck\n  wattle netcheck --json")]
pub(super) struct Netcheck {
    /// Output: empty for people, json, or json-line
    #[arg(long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
    /// The same as --format=json
    #[arg(long, action = ArgAction::SetTrue)]
    json: bool,
    /// Measure again and again with this pause, such as 10s
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration, hide_default_value = true)]
    every: Duration,
    /// Number the regions
    #[arg(long, action = ArgAction::SetTrue)]
    verbose: bool,
}

impl Netcheck {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let map = api.derp_map().await?;
        loop {
            let report = api.netcheck().await?;
            match self.format.as_str() {
                "" if !self.json => print(&text(&report, &map, self.verbose))?,
                "" | "json" => print_json(&report)?,
                "json-line" => print(&(serde_json::to_string(&report)? + "\n"))?,
                other => bail!("{other:?} is no output format: json and json-line are"),
            }
            if self.every.is_zero() {
                return Ok(Outcome::Done);
            }
            sleep(self.every).await;
        }
    }
}

fn text(report: &NetcheckReport, map: &DerpMap, verbose: bool) -> String {
    let mut text = String::from("\nReport:\n");
    let mut line = |name: &str, value: &str| {
        let _infallible = writeln!(text, "\t* {name}: {value}");
    };
    line("UDP", &report.udp.to_string());
    let v4 = report.global_v4.map_or_else(|| "(no addr found)".to_owned(), |address| format!("yes, {address}"));
    line("IPv4", &v4);
    let v6 = match report.global_v6 {
        Some(address) => format!("yes, {address}"),
        None if report.ipv6 => "(no addr found)".to_owned(),
        None => "no".to_owned(),
    };
    line("IPv6", &v6);
    let varies = report.mapping_varies_by_dest_ip.map_or_else(String::new, |varies| varies.to_string());
    line("MappingVariesByDestIP", &varies);
    if let Some(nat) = nat(report) {
        line("NAT", nat);
    }
    line("PortMapping", &port_mapping(report));
    if let Some(captive) = report.captive_portal {
        line("CaptivePortal", if captive { "true: sign in at its page in a browser" } else { "false" });
    }
    let named = |region: i64| map.regions.as_ref().and_then(|regions| regions.get(&region)?.as_ref());
    if report.region_latency.is_empty() {
        line("Nearest DERP", "unknown (no response to latency probes)");
        return text;
    }
    line("Nearest DERP", named(report.preferred_derp).map_or("unknown", |region| &region.region_name));
    text += "\t* DERP latency:\n";
    let regions = map.regions.iter().flatten().filter_map(|(number, region)| Some((*number, region.as_ref()?)));
    let mut rows: Vec<_> =
        regions.map(|(number, region)| (report.region_latency.get(&number), number, region)).collect();
    // Those that answered first, the nearest first.
    rows.sort_by_key(|(latency, number, _)| (latency.is_none(), *latency, *number));
    for (latency, number, region) in rows {
        let latency = latency.map_or_else(String::new, |nanos| format!("{:.1}ms", *nanos as f64 / 1e6));
        let number = if verbose { format!("derp{number}, ") } else { String::new() };
        let _infallible =
            writeln!(text, "\t\t- {:>3}: {latency:<7} ({number}{})", region.region_code, region.region_name);
    }
    text
}

/// What the NAT means for people.
fn nat(report: &NetcheckReport) -> Option<&'static str> {
    match report.mapping_varies_by_dest_ip {
        _ if !report.udp => Some("UDP is blocked: every connection goes through a relay"),
        _ if report.port_mapping.is_some() => Some("open: the router has opened a port for us"),
        Some(true) => Some("hard: another port for every destination; direct with peers that are easy to reach"),
        Some(false) => Some("easy: direct connections are likely"),
        None => None,
    }
}

/// The protocols that the router speaks, and the address that it opened.
fn port_mapping(report: &NetcheckReport) -> String {
    let all = [("UPnP", report.upnp), ("NAT-PMP", report.pmp), ("PCP", report.pcp)];
    let spoken: Vec<&str> = all.iter().filter(|(_, spoken)| *spoken == Some(true)).map(|(name, _)| *name).collect();
    match report.port_mapping {
        Some(address) => format!("{} ({address})", spoken.join(", ")),
        None => spoken.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattle_wire::control::DerpRegion;

    #[test]
    fn the_report_lists_regions_by_latency() {
        let region = |code: &str, name: &str| {
            Some(DerpRegion { region_code: code.to_owned(), region_name: name.to_owned(), ..DerpRegion::default() })
        };
        let regions = [(1, region("far", "Far")), (2, region("home", "Home")), (3, region("x", "Mute")), (4, None)];
        let map = DerpMap { regions: Some(regions.into()), ..DerpMap::default() };
        let report = NetcheckReport {
            udp: true,
            global_v4: Some("192.0.2.7:41641".parse().unwrap()),
            mapping_varies_by_dest_ip: Some(false),
            upnp: Some(true),
            pmp: Some(false),
            pcp: Some(true),
            port_mapping: Some("192.0.2.7:7".parse().unwrap()),
            captive_portal: Some(false),
            preferred_derp: 2,
            region_latency: [(1, 80_000_000), (2, 1_230_000)].into(),
            ..NetcheckReport::default()
        };
        assert_eq!(
            text(&report, &map, false),
            "\nReport:\n\t* UDP: true\n\t* IPv4: yes, 192.0.2.7:41641\n\t* IPv6: no\n\t* MappingVariesByDestIP: false\n\
             \t* NAT: open: the router has opened a port for us\n\t* PortMapping: UPnP, PCP (192.0.2.7:7)\n\t* CaptivePortal: false\n\
             \t* Nearest DERP: Home\n\t* DERP latency:\n\t\t- home: 1.2ms   (Home)\n\t\t- far: 80.0ms  (Far)\n\t\t-   x:         (Mute)\n"
        );
        let silent = text(&NetcheckReport::default(), &map, true);
        assert!(silent.ends_with("\t* Nearest DERP: unknown (no response to latency probes)\n"));
    }
}
