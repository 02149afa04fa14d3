//! What changes for whom when one policy follows another, in sentences.

use wattle_policy::{Gain, Roster, SshPermit};

use super::names::{NodeName, Scene, in_words};
use crate::admin::documents::{DifferenceDocument, GainDocument};
use crate::limits::GAINS_LISTED_MAX;

/// Compares what the same nodes may do under two policies. The texts are compared elsewhere.
pub(super) fn difference(scene: &Scene, before: &Roster, after: &Roster) -> DifferenceDocument {
    let gains = wattle_policy::difference(before, after);
    let more = gains.len().saturating_sub(GAINS_LISTED_MAX);
    DifferenceDocument {
        against: scene.revision,
        same_text: false,
        gains: gains.iter().take(GAINS_LISTED_MAX).map(|gain| document(scene, gain)).collect(),
        also: also(scene, before, after),
        more,
        locks_out: locks_out(scene, before, after),
    }
}

fn document(scene: &Scene, gain: &Gain) -> GainDocument {
    let who = scene.names.parties(&gain.who, "");
    let whom = scene.names.parties(&gain.whom, "");
    let access = gain.access.to_string();
    let to = if gain.own { "their own other devices".to_owned() } else { whom.in_words() };
    let verb = match (gain.gains, who.count) {
        (true, 1) => "gains",
        (true, _) => "gain",
        (false, 1) => "loses",
        (false, _) => "lose",
    };
    let sentence = match gain.access.packets.is_empty() || access.starts_with("everything") {
        true => format!("{} {verb} {access} on {to}", who.in_words()),
        false => format!("{} {verb} {to} on {access}", who.in_words()),
    };
    GainDocument { gains: gain.gains, who, whom, own: gain.own, access, sentence }
}

/// What a policy says besides who reaches whom.
fn also(scene: &Scene, before: &Roster, after: &Roster) -> Vec<String> {
    let permits = |roster: &Roster, node: &NodeName| -> Vec<SshPermit> {
        // A rule that only moved in the text is the same rule.
        roster.ssh_for(node.id).into_iter().map(|permit| SshPermit { rule: 0, ..permit }).collect()
    };
    let has_ssh = [before, after].iter().any(|roster| !roster.policy().document().ssh.is_empty());
    let changed = |differs: &dyn Fn(&NodeName) -> bool| -> Vec<String> {
        scene.names.nodes.iter().filter(|node| differs(node)).map(|node| node.label.clone()).collect()
    };
    let ssh = changed(&|node| has_ssh && permits(before, node) != permits(after, node));
    let capabilities = changed(&|node| before.attributes(node.id) != after.attributes(node.id));
    let mut also = Vec::new();
    if !ssh.is_empty() {
        also.push(format!("the SSH rules change on {}", in_words(&ssh, ssh.len())));
    }
    if !capabilities.is_empty() {
        also.push(format!("what nodeAttrs gives changes for {}", in_words(&capabilities, capabilities.len())));
    }
    also
}

/// Whether some administrator reaches something before, and nobody of them anything after.
pub(super) fn locks_out(scene: &Scene, before: &Roster, after: &Roster) -> bool {
    reaches(scene, before) && !reaches(scene, after)
}

/// Whether some device of an administrator may begin to speak with anything: a device of somebody else or another of
/// their own, a tagged device, a route, the internet by an exit node. The first that is found is enough, so that this
/// takes no time in a tailnet where all is well.
fn reaches(scene: &Scene, roster: &Roster) -> bool {
    let nodes = &scene.names.nodes;
    let is_one = |node: &&NodeName| node.owner.is_some_and(|user| scene.administrators.contains(&user));
    nodes.iter().filter(is_one).any(|from| {
        nodes.iter().filter(|to| to.id != from.id).any(|to| {
            let classes = roster.class(from.id).zip(roster.class(to.id));
            classes.is_some_and(|(from, to)| from.reaches(to))
                || !roster.routes_through(from.id, to.id, |route| roster.routers_of(route).min()).is_empty()
        })
    })
}
