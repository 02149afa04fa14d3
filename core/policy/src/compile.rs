//! A document to a policy that answers: names are resolved here, once, and never again when nodes change.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use wattle_netmap::{PortRange, RuleSource, TAILNET_V6};

use crate::class::{Class, Subject};
use crate::document::{Acl, Document, Spot};
use crate::selector::{self, Selector};
use crate::{PolicyError, parse};

/// A policy, ready to be asked. It never changes.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) rules: Vec<Rule>,
    tag_owners: BTreeMap<String, Vec<Selector>>,
    /// Whether any tag may be used by an administrator: there is no policy file that could define them.
    any_tag: bool,
}

/// One compiled rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    sources: Vec<Selector>,
    /// The sources that stand in packet rules as they are.
    pub(crate) fixed_sources: Vec<RuleSource>,
    pub(crate) targets: Vec<(Selector, Vec<PortRange>)>,
    pub(crate) protocols: Vec<u8>,
}

impl Policy {
    /// Everybody may reach everybody.
    pub fn allow_all() -> Self {
        let rule = Rule {
            sources: vec![Selector::Everyone],
            fixed_sources: vec![RuleSource::Any],
            targets: vec![(Selector::Everyone, vec![PortRange::ANY])],
            protocols: Vec::new(),
        };
        Self { rules: vec![rule], tag_owners: BTreeMap::new(), any_tag: true }
    }

    /// Reads and checks a policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let document = parse::document(text)?;
        let compiler = Compiler { text, document: &document };
        compiler.check_names()?;
        let rules = match &document.acls {
            None => Self::allow_all().rules,
            Some(acls) => acls.iter().map(|acl| compiler.rule(acl)).collect::<Result<_, _>>()?,
        };
        let owners = |(tag, owners): (&String, &Vec<Spot>)| {
            let owners: Result<Vec<_>, _> = owners.iter().map(|owner| compiler.selector(owner)).collect();
            Ok((tag.clone(), owners?))
        };
        let tag_owners = document.tag_owners.iter().map(owners).collect::<Result<_, PolicyError>>()?;
        Ok(Self { rules, tag_owners, any_tag: false })
    }

    /// Whether an administrator may give this tag: it is well formed, and defined if there is a policy to define it.
    pub fn knows_tag(&self, tag: &str) -> bool {
        is_tag(tag) && (self.any_tag || self.tag_owners.contains_key(tag))
    }

    /// Whether a node that belongs to `subject` may ask for this tag.
    pub fn may_use_tag(&self, tag: &str, subject: &Subject<'_>) -> bool {
        let owners = self.tag_owners.get(tag);
        owners.is_some_and(|owners| owners.iter().any(|owner| owner.covers(subject)))
    }

    /// What the policy makes of a node.
    pub fn class_of(&self, subject: &Subject<'_>) -> Class {
        let mut class = Class { user: subject.user.map(|(id, _)| id), ..Class::default() };
        for (number, rule) in self.rules.iter().enumerate() {
            if rule.sources.iter().any(|source| source.covers(subject)) {
                class.sources.insert(number);
            }
            if rule.sources.iter().any(|source| source.names(subject)) {
                class.listed.insert(number);
            }
            if rule.targets.iter().any(|(target, _)| target.covers(subject)) {
                class.targets.insert(number);
            }
            if subject.user.is_some() && rule.targets.iter().any(|(target, _)| *target == Selector::SameUser) {
                class.own_targets.insert(number);
            }
        }
        class
    }
}

/// Whether a text is a tag: `tag:` and letters, digits and dashes, a letter first.
fn is_tag(text: &str) -> bool {
    text.strip_prefix("tag:").is_some_and(|name| {
        name.len() <= 63
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// What `*` means as a source: every address that tailnets use, which leaves out what ChromeOS uses for itself
/// (tailscale `net/tsaddr.ChromeOSVMRange`, 100.115.92.0/23).
fn everyone() -> [RuleSource; 3] {
    let v4 = |a, b, c, d| IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    [
        RuleSource::Range(v4(100, 64, 0, 0), v4(100, 115, 91, 255)),
        RuleSource::Range(v4(100, 115, 94, 0), v4(100, 127, 255, 255)),
        RuleSource::Prefix(TAILNET_V6.into()),
    ]
}

struct Compiler<'a> {
    text: &'a str,
    document: &'a Document,
}

impl Compiler<'_> {
    fn error(&self, spot: &Spot, message: impl Into<String>) -> PolicyError {
        PolicyError::at(self.text, spot.at, message)
    }

    fn selector(&self, spot: &Spot) -> Result<Selector, PolicyError> {
        Selector::read(&spot.text, self.document).map_err(|message| self.error(spot, message))
    }

    /// Names that are defined, whether or not a rule uses them.
    fn check_names(&self) -> Result<(), PolicyError> {
        for (group, members) in &self.document.groups {
            let place = members.first().map_or(0, |member| member.at);
            if group.strip_prefix("group:").is_none_or(str::is_empty) {
                return Err(PolicyError::at(self.text, place, format!("group \"{group}\" must be called group:name")));
            }
            if let Some(member) = members.iter().find(|member| !member.text.contains('@')) {
                return Err(self.error(member, format!("\"{}\" in {group} is not a user (with @)", member.text)));
            }
        }
        for (tag, owners) in &self.document.tag_owners {
            if !is_tag(tag) {
                let place = owners.first().map_or(0, |owner| owner.at);
                return Err(PolicyError::at(self.text, place, format!("\"{tag}\" is not a tag such as tag:server")));
            }
        }
        for (host, address) in &self.document.hosts {
            if selector::prefix(&address.text).is_none() {
                let message = format!("\"{}\" is not the address or prefix of host \"{host}\"", address.text);
                return Err(self.error(address, message));
            }
        }
        Ok(())
    }

    fn rule(&self, acl: &Acl) -> Result<Rule, PolicyError> {
        let sources: Vec<_> = acl.sources.iter().map(|spot| self.source(spot)).collect::<Result<_, _>>()?;
        let protocols = match &acl.protocol {
            None => Vec::new(),
            Some(spot) => selector::protocols(&spot.text)
                .ok_or_else(|| self.error(spot, format!("\"{}\" is not a protocol", spot.text)))?,
        };
        let mut targets = Vec::new();
        for spot in &acl.targets {
            let (word, ports) = selector::target_and_ports(&spot.text).map_err(|message| self.error(spot, message))?;
            let has_ports = protocols.is_empty() || protocols.iter().any(|number| matches!(number, 6 | 17 | 132));
            if !has_ports && ports != [PortRange::ANY] {
                return Err(self.error(spot, "this protocol has no ports: write :*"));
            }
            let selector = Selector::read(word, self.document).map_err(|message| self.error(spot, message))?;
            targets.push((selector, ports));
        }
        let mut fixed_sources = Vec::new();
        for source in &sources {
            match source {
                Selector::Everyone => fixed_sources.extend(everyone()),
                Selector::Prefix(prefix) => fixed_sources.push(RuleSource::Prefix(*prefix)),
                Selector::Users(_) | Selector::Tag(_) | Selector::Member | Selector::Tagged | Selector::SameUser => {}
            }
        }
        Ok(Rule { sources, fixed_sources, targets, protocols })
    }

    fn source(&self, spot: &Spot) -> Result<Selector, PolicyError> {
        match self.selector(spot)? {
            Selector::SameUser => Err(self.error(spot, "autogroup:self can stand in \"dst\" only")),
            selector => Ok(selector),
        }
    }
}
