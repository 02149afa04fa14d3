//! `wattle-control check-config`: reads a configuration as `serve` would, asks its providers, and says what is wrong.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use wattle_provider::Providers;

use crate::config::{ServerUrl, Settings};
use crate::people::provider_configs;
use crate::serve::Serve;

/// Its flags.
#[derive(Args, Debug)]
pub(crate) struct CheckConfig {
    /// The file.
    #[arg(required_unless_present = "example")]
    file: Option<PathBuf>,
    /// Print a file with every key and its default instead.
    #[arg(long)]
    example: bool,
    /// Ask nobody: do not try the providers.
    #[arg(long)]
    offline: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What was found, for programs.
#[derive(Debug, Serialize)]
struct Findings {
    ok: bool,
    /// What is wrong with the file; then nothing else is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    providers: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Finding {
    name: String,
    /// What the provider must know.
    redirect: String,
    /// `None`: it was not asked.
    ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl CheckConfig {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        if self.example {
            print!("{}", include_str!("../config.example.toml"));
            return Ok(());
        }
        let settings = match (Serve { config: self.file, ..Serve::default() }).settings() {
            Ok(settings) => settings,
            Err(error) if self.json => {
                let problem = Some(format!("{error:#}"));
                let findings = Findings { ok: false, problem, server_url: None, listen: None, providers: Vec::new() };
                return show_json(&findings).and(Err(error));
            }
            Err(error) => return Err(error),
        };
        let providers = asked(&settings, self.offline).await?;
        let wrong = providers.iter().filter(|finding| finding.ok == Some(false)).count();
        let findings = Findings {
            ok: wrong == 0,
            problem: None,
            server_url: Some(settings.server_url.to_string()),
            listen: Some(settings.listen.to_string()),
            providers,
        };
        match self.json {
            true => show_json(&findings)?,
            false => tell(&settings, &findings),
        }
        match wrong {
            0 => Ok(()),
            1 => anyhow::bail!("a provider cannot be used: people could not sign in with it"),
            _ => anyhow::bail!("{wrong} providers cannot be used: people could not sign in with them"),
        }
    }
}

/// Where a provider sends browsers back to.
pub(crate) fn redirect_of(url: &ServerUrl, provider: &str) -> String {
    url.page(&format!("/oidc/callback/{provider}"))
}

async fn asked(settings: &Settings, offline: bool) -> anyhow::Result<Vec<Finding>> {
    let url = settings.server_url.clone();
    let providers = Providers::new(provider_configs(&settings.providers), move |name| redirect_of(&url, name))?;
    // All at once: one that is down costs its own time only.
    let asking = settings.providers.iter().map(async |provider| {
        let answer = match offline {
            true => None,
            false => Some(providers.check(&provider.name).await),
        };
        Finding {
            name: provider.name.clone(),
            redirect: redirect_of(&settings.server_url, &provider.name),
            ok: answer.as_ref().map(Result::is_ok),
            problem: answer.and_then(Result::err).map(|error| error.to_string()),
        }
    });
    Ok(futures_util::future::join_all(asking).await)
}

fn show_json(findings: &Findings) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(findings).context("cannot print the findings")?);
    Ok(())
}

fn tell(settings: &Settings, findings: &Findings) {
    for finding in &findings.providers {
        let name = &finding.name;
        match (finding.ok, &finding.problem) {
            (_, Some(problem)) => println!("provider {name}: {problem}"),
            (Some(_), None) => println!("provider {name}: answers; its redirect address is {}", finding.redirect),
            (None, None) => println!("provider {name}: was not asked; its redirect address is {}", finding.redirect),
        }
    }
    let is_exposed = !findings.providers.is_empty() && !settings.server_url.is_secure();
    if is_exposed && !matches!(settings.server_url.host.as_str(), "127.0.0.1" | "::1" | "localhost") {
        println!("warning: {} is not https, so who is on the way can take over sign-ins", settings.server_url);
    }
    if findings.ok {
        println!("The configuration is fine. The server would be {} on {}.", settings.server_url, settings.listen);
    }
}
