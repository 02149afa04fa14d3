//! Stories of one tailnet, told by commands.

mod approval;
mod feed;
mod people;
mod policies;
mod registration;
mod routes;
mod ssh;
mod streams;
mod tags;

use std::time::Duration;

use wattle_keys::{MachinePrivate, MachinePublic, NodePrivate, NodePublic};
use wattle_netmap::{DerpMap, HostFacts, NodeId, UserId};
use wattle_time::{Instant, UnixTime};

use crate::{
    AuthId, Command, Config, Coordinator, Dice, NewAuthKey, NewPolicy, NodeRecord, Now, Refusal, Register, Reply,
    Report, Snapshot, StreamId,
};

/// A coordinator with its dice and a clock that tests turn.
pub(crate) struct Tailnet {
    pub(crate) coordinator: Coordinator,
    pub(crate) dice: Dice,
    pub(crate) now: Now,
}

pub(crate) fn machine(number: u8) -> MachinePublic {
    MachinePrivate::from_bytes([number; 32]).public()
}

pub(crate) fn key(number: u8) -> NodePublic {
    NodePrivate::from_bytes([number.wrapping_add(100); 32]).public()
}

pub(crate) fn host(name: &str) -> HostFacts {
    HostFacts { hostname: name.to_owned(), os: "linux".to_owned(), ..HostFacts::default() }
}

pub(crate) fn register(machine_number: u8, key_number: u8) -> Register {
    Register {
        machine: machine(machine_number),
        node_key: key(key_number),
        old_node_key: None,
        auth_key: None,
        followup: None,
        expiry: None,
        ephemeral: false,
        host: host(&format!("host{machine_number}")),
        capability_version: 130,
    }
}

pub(crate) fn report(machine_number: u8, key_number: u8) -> Report {
    Report {
        machine: machine(machine_number),
        node_key: key(key_number),
        capability_version: 130,
        disco: None,
        endpoints: None,
        host: None,
    }
}

impl Tailnet {
    pub(crate) fn new() -> Self {
        let now = Now { mono: Instant::from_nanos(1_000_000_000), wall: UnixTime::from_secs(1_800_000_000) };
        let config = Config::new("tail.example.com".to_owned(), DerpMap::default());
        let coordinator = Coordinator::new(config, Snapshot::default(), now).unwrap();
        Self { coordinator, dice: Dice::new([7; 32]), now }
    }

    /// Decides and applies.
    pub(crate) fn ask(&mut self, command: Command) -> Result<Reply, Refusal> {
        let decision = self.coordinator.decide(&mut self.dice, command, self.now)?;
        self.coordinator.apply(&decision.changes, self.now);
        Ok(decision.reply)
    }

    /// Lets time pass, with ticks when they are due.
    pub(crate) fn wait(&mut self, wait: Duration) {
        let end = self.now.mono + wait;
        let limit = 10_000;
        for _ in 0..limit {
            let due = self.coordinator.next_timeout(self.now).map(|deadline| deadline.latest.max(self.now.mono));
            let next = due.filter(|due| *due <= end).unwrap_or(end);
            self.now.wall = self.now.wall.plus(next.since(self.now.mono));
            self.now.mono = next;
            if due.is_none_or(|due| due > end) {
                return;
            }
            self.ask(Command::Tick).unwrap();
        }
        panic!("a timer is due again and again: {:?}", self.coordinator.next_timeout(self.now));
    }

    pub(crate) fn user(&mut self, name: &str) -> UserId {
        match self.ask(Command::CreateUser { login_name: name.to_owned(), display_name: String::new() }) {
            Ok(Reply::UserCreated(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn auth_key(&mut self, wanted: NewAuthKey) -> String {
        match self.ask(Command::CreateAuthKey(wanted)) {
            Ok(Reply::AuthKeyCreated { secret, .. }) => secret,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn policy(&mut self, text: &str) -> Result<Reply, Refusal> {
        self.ask(Command::SetPolicy(Box::new(NewPolicy { text: text.to_owned(), ..NewPolicy::default() })))
    }

    /// A reusable key of a user.
    pub(crate) fn key_of(&mut self, user: UserId) -> String {
        self.auth_key(NewAuthKey { user: Some(user), reusable: true, ..NewAuthKey::default() })
    }

    pub(crate) fn register(&mut self, request: Register) -> Result<Reply, Refusal> {
        self.ask(Command::Register(Box::new(request)))
    }

    /// Joins with a key that must work.
    pub(crate) fn join(&mut self, number: u8, secret: &str) -> NodeId {
        match self.register(Register { auth_key: Some(secret.to_owned()), ..register(number, number) }) {
            Ok(Reply::Registered { node, .. }) => node,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn waiting(&mut self, request: Register) -> AuthId {
        match self.register(request) {
            Ok(Reply::Waiting { auth_id }) => auth_id,
            other => panic!("{other:?}"),
        }
    }

    /// A person lets a waiting machine in.
    pub(crate) fn approve(&mut self, auth_id: AuthId, user: UserId) -> Result<NodeId, Refusal> {
        match self.ask(Command::Approve { auth_id, user, key_expiry: None })? {
            Reply::Approved(node) => Ok(node),
            other => panic!("{other:?}"),
        }
    }

    /// Joins as a person does: by a page.
    pub(crate) fn log_in(&mut self, request: Register, user: UserId) -> Result<NodeId, Refusal> {
        let auth_id = self.waiting(request);
        self.approve(auth_id, user)
    }

    pub(crate) fn record(&self, node: NodeId) -> &NodeRecord {
        &self.coordinator.node(node).unwrap().record
    }

    pub(crate) fn connect(&mut self, report: Report) -> (NodeId, StreamId) {
        match self.ask(Command::Connect(Box::new(report))) {
            Ok(Reply::Connected { node, stream }) => (node, stream),
            other => panic!("{other:?}"),
        }
    }
}
