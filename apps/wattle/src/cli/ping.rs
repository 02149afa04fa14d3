//! `wattle ping`: is a node reached, and which way.

use std::time::Duration;

use anyhow::bail;
use clap::{ArgAction, Args};
use tokio::time::{sleep, timeout};
use wattle_wire::local::PingResult;

use super::api::Api;
use super::status::disconnected;
use super::values::{boolean, duration};
use super::{Outcome, paths, print, target};

/// The pause between two pings.
const PAUSE: Duration = Duration::from_secs(1);

/// Ping a node inside the network and show which way the answer came
///
/// By default it stops after 10 pings or as soon as an answer came directly. The first ones often go through a relay
/// while a direct path is sought. If this works and a normal ping does not, a firewall on either machine drops it.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  wattle ping laptop\n  wattle ping --tsmp 100.64.0.2\n  wattle ping --until-direct --verbose laptop\n  wattle ping --until-direct=false --c 3 laptop"
)]
pub(super) struct Ping {
    /// Stop when an answer came directly
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_parser = boolean)]
    until_direct: bool,
    /// Through the tunnel, but not through the other machine's network stack
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "icmp")]
    tsmp: bool,
    /// Through the tunnel, answered by the other machine's network stack
    #[arg(long, action = ArgAction::SetTrue)]
    icmp: bool,
    /// How many pings; 0: no end
    #[arg(short = 'c', long = "c", value_name = "COUNT", default_value_t = 10)]
    count: u32,
    /// How long to wait for an answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    timeout: Duration,
    /// Say what a name was resolved to, and at the end every address that was tried and why the winner won
    #[arg(long, action = ArgAction::SetTrue)]
    verbose: bool,
    /// Print each answer as a line of JSON
    #[arg(long, action = ArgAction::SetTrue)]
    json: bool,
    /// Name or address of a node
    node: String,
}

impl Ping {
    pub(super) async fn run(self, api: &Api) -> anyhow::Result<Outcome> {
        let outcome = self.ping(api).await;
        if self.verbose && !self.json {
            let status = api.status().await?;
            if let Ok(found) = paths::of_node(api, &status, &self.node).await {
                print(&format!("\n{}", paths::text(&found, wattle_clock::unix_now())))?;
            }
        }
        outcome
    }

    async fn ping(&self, api: &Api) -> anyhow::Result<Outcome> {
        let status = api.status().await?;
        if let Some(sentence) = disconnected(&status) {
            print(&(sentence + "\n"))?;
            return Ok(Outcome::No);
        }
        let target = target::resolve(&status, &self.node).await?;
        if target.is_self {
            print(&format!("{} is an address of this machine\n", target.address))?;
            return Ok(Outcome::Done);
        }
        if self.verbose && target.address.to_string() != self.node {
            print(&format!("{} is {}\n", self.node, target.address))?;
        }
        let mut answered = false;
        let mut number = 0;
        loop {
            number += 1;
            let is_last = number == self.count;
            match timeout(self.timeout, api.ping(target.address, self.kind())).await {
                Ok(answer) => {
                    let answer = answer?;
                    if self.json {
                        print(&(serde_json::to_string(&answer)? + "\n"))?;
                    }
                    match self.judge(&answer)? {
                        Verdict::Done => return Ok(Outcome::Done),
                        Verdict::Pong(is_enough) => {
                            answered = true;
                            if !self.json {
                                print(&line(&answer, self.kind()))?;
                            }
                            if is_enough {
                                return Ok(Outcome::Done);
                            }
                        }
                        Verdict::Silence => print(&format!("ping {:?} timed out\n", target.address.to_string()))?,
                    }
                }
                Err(_) => print(&format!("ping {:?} timed out\n", target.address.to_string()))?,
            }
            if is_last {
                return self.end(answered);
            }
            sleep(PAUSE).await;
        }
    }

    const fn kind(&self) -> &'static str {
        match (self.tsmp, self.icmp) {
            (true, _) => "TSMP",
            (_, true) => "ICMP",
            _ => "disco",
        }
    }

    fn judge(&self, answer: &PingResult) -> anyhow::Result<Verdict> {
        if answer.is_local_ip {
            print(&format!("{}\n", answer.err))?;
            return Ok(Verdict::Done);
        }
        match answer.err.as_str() {
            "" => {
                let is_direct = !answer.endpoint.is_empty();
                Ok(Verdict::Pong(self.tsmp || self.icmp || (is_direct && self.until_direct)))
            }
            // The daemon gave up before we did.
            problem if problem.contains("timed out") || problem.contains("timeout") => Ok(Verdict::Silence),
            problem => bail!("{problem}"),
        }
    }

    fn end(&self, answered: bool) -> anyhow::Result<Outcome> {
        if !answered {
            bail!("no reply");
        }
        if self.until_direct {
            bail!("direct connection not established");
        }
        Ok(Outcome::Done)
    }
}

/// What an answer means.
enum Verdict {
    /// There is nothing to ping.
    Done,
    /// An answer; whether it is the one that was waited for.
    Pong(bool),
    /// None came.
    Silence,
}

fn line(answer: &PingResult, kind: &str) -> String {
    let way = if !answer.endpoint.is_empty() {
        answer.endpoint.clone()
    } else if !answer.peer_relay.is_empty() {
        format!("peer-relay({})", answer.peer_relay)
    } else if answer.derp_region_id != 0 {
        format!("DERP({})", answer.derp_region_code)
    } else {
        kind.to_owned()
    };
    let port = if answer.peer_api_port == 0 { String::new() } else { format!(", {}", answer.peer_api_port) };
    let millis = (answer.latency_seconds * 1000.0).round();
    format!("pong from {} ({}{port}) via {way} in {millis}ms\n", answer.node_name, answer.node_ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> PingResult {
        PingResult {
            node_name: "laptop".to_owned(),
            node_ip: "100.64.0.2".to_owned(),
            latency_seconds: 0.0234,
            ..PingResult::default()
        }
    }

    #[test]
    fn a_pong_says_who_answered_and_which_way() {
        let direct = PingResult { endpoint: "192.0.2.1:41641".to_owned(), ..answer() };
        assert_eq!(line(&direct, "disco"), "pong from laptop (100.64.0.2) via 192.0.2.1:41641 in 23ms\n");
        let relayed = PingResult { derp_region_id: 1, derp_region_code: "home".to_owned(), ..answer() };
        assert_eq!(line(&relayed, "disco"), "pong from laptop (100.64.0.2) via DERP(home) in 23ms\n");
        let inside = PingResult { peer_api_port: 4242, ..answer() };
        assert_eq!(line(&inside, "TSMP"), "pong from laptop (100.64.0.2, 4242) via TSMP in 23ms\n");
    }
}
