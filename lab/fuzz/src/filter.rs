//! Arbitrary rules and packets: the compiled filter decides as one does who reads the rules one by one.
//!
//! Addresses and ports mostly come from small pools, or rules and packets would never meet.

mod packets;
mod pools;
mod reference;

use arbitrary::{Result, Unstructured};
use wattle_filter::{CapabilityTable, Facts, Filter, Flows, check_inbound, check_outbound};
use wattle_netmap::{CapGrant, Capability, FilterRule, RuleSource, RuleTarget};
use wattle_packet::{Flow, IpPacket};
use wattle_time::Instant;

use self::reference::Reference;

const RULES_MAX: usize = 12;
const PARTS_MAX: usize = 4;
const PACKETS_MAX: usize = 32;
/// So few that no set of the flow cache can overflow: forgetting is allowed to the cache and not to the reference.
const FLOWS_MAX: usize = 8;

/// Compiles rules and passes packets, both ways.
pub fn run(input: &[u8]) {
    // Bytes that run out end a story; they never fail.
    let _ended = story(&mut Unstructured::new(input));
}

/// All packets go to one peer, at one time: how replies are shared out and forgotten is tested where it is done.
const PEER: u32 = 1;
const NOW: Instant = Instant::from_nanos(1);

fn story(u: &mut Unstructured<'_>) -> Result<()> {
    let reference = reference(u)?;
    let rules: Vec<&FilterRule> = reference.rules.iter().collect();
    let mut capabilities = CapabilityTable::default();
    for (name, prefixes) in &reference.capabilities {
        capabilities.insert(name, prefixes);
    }
    let facts =
        Facts { rules: &rules, local: &reference.local, capabilities: &capabilities, shields_up: reference.shields_up };
    let mut filter = Filter::compile(&facts);
    if let Some(port) = reference.peerapi_port {
        filter = filter.with_peerapi_port(port);
    }
    if reference.jailed {
        filter = filter.jailed();
    }
    play(u, &filter, reference)
}

fn play(u: &mut Unstructured<'_>, filter: &Filter, mut reference: Reference) -> Result<()> {
    let flows = Flows::new([7; 32]);
    let mut bytes = Vec::new();
    for _ in 0..PACKETS_MAX {
        if u.is_empty() {
            break;
        }
        bytes.clear();
        packets::write(u, &mut bytes)?;
        let verdict = check_inbound(filter, &flows, &bytes, NOW);
        assert_eq!(verdict, reference.verdict(&bytes), "{bytes:02x?} against {reference:?}");
        let Ok(packet) = IpPacket::parse(&bytes) else { continue };
        let (from, to, protocol) = (packet.source(), packet.destination(), packet.protocol());
        let port = pools::port(u)?;
        let asked = filter.allows(protocol, from, (to, port).into());
        assert_eq!(asked, reference.allows(protocol, from, to, port), "{protocol} {from} {to} {port} {reference:?}");
        assert_eq!(filter.capabilities(from, to), reference.capabilities_held(from, to), "{from} {to} {reference:?}");
        if u.arbitrary()? && reference.sent.len() < FLOWS_MAX {
            check_outbound(&flows, &packet, PEER, NOW);
            reference.sent.extend(Flow::of(&packet));
        }
    }
    Ok(())
}

fn reference(u: &mut Unstructured<'_>) -> Result<Reference> {
    let switches: u8 = u.arbitrary()?;
    Ok(Reference {
        shields_up: switches & 7 == 1,
        jailed: switches & 0x38 == 8,
        peerapi_port: if switches & 0x40 == 0 { None } else { Some(pools::port(u)?) },
        local: several(u, PARTS_MAX, pools::prefix)?,
        capabilities: [
            (pools::CAPABILITIES[0].to_owned(), several(u, PARTS_MAX, pools::prefix)?),
            (pools::CAPABILITIES[1].to_owned(), several(u, PARTS_MAX, pools::prefix)?),
        ]
        .into(),
        rules: several(u, RULES_MAX, rule)?,
        sent: Vec::new(),
    })
}

fn rule(u: &mut Unstructured<'_>) -> Result<FilterRule> {
    Ok(FilterRule {
        sources: several(u, PARTS_MAX, source)?,
        targets: several(u, PARTS_MAX, |u| Ok(RuleTarget { to: source(u)?, ports: pools::ports(u)? }))?,
        protocols: several(u, 2, pools::protocol)?,
        grants: several(u, 1, grant)?,
    })
}

fn source(u: &mut Unstructured<'_>) -> Result<RuleSource> {
    Ok(match u.int_in_range(0..=7)? {
        0 => RuleSource::Any,
        1 => RuleSource::Range(pools::address(u)?, pools::address(u)?),
        2 => RuleSource::HasCapability((*u.choose(&pools::CAPABILITIES)?).to_owned()),
        _ => RuleSource::Prefix(pools::prefix(u)?),
    })
}

fn grant(u: &mut Unstructured<'_>) -> Result<CapGrant> {
    let capability = |u: &mut Unstructured<'_>| {
        let name = (*u.choose(&pools::CAPABILITIES)?).to_owned();
        Ok(Capability { name, values: several(u, 2, |u| Ok(u.int_in_range(0..=9)?.to_string()))? })
    };
    Ok(CapGrant { to: several(u, 2, pools::prefix)?, capabilities: several(u, 2, capability)? })
}

fn several<'a, T>(
    u: &mut Unstructured<'a>,
    max: usize,
    mut one: impl FnMut(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = u.int_in_range(0..=max)?;
    (0..count).map(|_| one(u)).collect()
}
