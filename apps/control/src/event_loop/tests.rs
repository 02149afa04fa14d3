//! The loop with a real store: what is answered is kept, and what changes is told to streams.

use std::time::Duration;

use futures_util::StreamExt;
use wattle_coordinator::{AuthId, Command, Config, Coordinator, Dice, NewAuthKey, Register, Reply, Report, Settings};
use wattle_keys::{MachinePrivate, MachinePublic, NodePrivate, NodePublic};
use wattle_netmap::{DerpMap, HostFacts, NodeId, UserId};
use wattle_store::Store;
use wattle_wire::control::MapResponse;

use super::{LoopHandle, now, spawn};
use crate::map_stream::MapStream;

fn machine(number: u8) -> MachinePublic {
    MachinePrivate::from_bytes([number; 32]).public()
}

fn key(number: u8) -> NodePublic {
    NodePrivate::from_bytes([number + 100; 32]).public()
}

struct Server {
    tailnet: LoopHandle,
    ended: tokio::task::JoinHandle<()>,
    user: UserId,
    folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (tailnet, ended) = open(&folder).await;
        let alice = Command::CreateUser { login_name: "alice".to_owned(), display_name: String::new() };
        let Ok(Reply::UserCreated(user)) = tailnet.ask(alice).await else { panic!("no user") };
        Self { tailnet, ended, user, folder }
    }

    fn request(number: u8) -> Register {
        Register {
            machine: machine(number),
            node_key: key(number),
            old_node_key: None,
            auth_key: None,
            followup: None,
            expiry: None,
            ephemeral: false,
            host: HostFacts { hostname: format!("host{number}"), ..HostFacts::default() },
            capability_version: 120,
        }
    }

    async fn join(&self, number: u8) -> NodeId {
        self.join_as(number, self.user).await
    }

    async fn join_as(&self, number: u8, user: UserId) -> NodeId {
        let wanted = NewAuthKey { user: Some(user), ..NewAuthKey::default() };
        let Ok(Reply::AuthKeyCreated { secret, .. }) = self.tailnet.ask(Command::CreateAuthKey(wanted)).await else {
            panic!("no key")
        };
        let request = Register { auth_key: Some(secret), ..Self::request(number) };
        match self.tailnet.ask(Command::Register(Box::new(request))).await {
            Ok(Reply::Registered { node, .. }) => node,
            other => panic!("{other:?}"),
        }
    }

    async fn stream(&self, number: u8) -> MapStream {
        let (machine, node_key) = (machine(number), key(number));
        let report = Report { machine, node_key, capability_version: 120, disco: None, endpoints: None, host: None };
        self.tailnet.open_stream(report, false, false).await.unwrap()
    }
}

async fn open(folder: &tempfile::TempDir) -> (LoopHandle, tokio::task::JoinHandle<()>) {
    let store = Store::open(&folder.path().join("control.db")).await.unwrap();
    let config = Config::new("tail.example.com".to_owned(), DerpMap::default());
    let coordinator = Coordinator::new(config, store.load().await.unwrap(), now()).unwrap();
    spawn(coordinator, store, Dice::new([9; 32]), |_| {})
}

async fn told(stream: &mut MapStream) -> Option<MapResponse> {
    let frame = tokio::time::timeout(Duration::from_secs(20), stream.next()).await.expect("a frame in time")?;
    let (length, body) = frame.split_at(4);
    assert_eq!(u32::from_le_bytes(length.try_into().unwrap()) as usize, body.len());
    Some(serde_json::from_slice(body).unwrap())
}

#[tokio::test]
async fn a_stream_begins_with_the_whole_map_and_is_told_what_changes() {
    let server = Server::start().await;
    let own = server.join(1).await;
    let mut stream = server.stream(1).await;
    let first = told(&mut stream).await.unwrap();
    assert_eq!(first.node.unwrap().id, own.0);
    assert!(first.peers.is_empty() && first.packet_filters.len() == 2 && first.packet_filters["*"].is_none());
    let peer = server.join(2).await;
    let next = told(&mut stream).await.unwrap();
    assert_eq!(next.peers_changed.iter().map(|peer| peer.id).collect::<Vec<_>>(), [peer.0]);
    assert!(next.node.is_none() && next.dns_config.is_none() && next.derp_map.is_none(), "nothing that did not change");
    server.tailnet.ask(Command::DeleteNode { node: peer }).await.unwrap();
    assert_eq!(told(&mut stream).await.unwrap().peers_removed, [peer.0]);
}

#[tokio::test]
async fn a_stream_ends_when_a_newer_one_opens_and_when_the_node_is_deleted() {
    let server = Server::start().await;
    let node = server.join(1).await;
    let mut old = server.stream(1).await;
    told(&mut old).await.unwrap();
    let mut new = server.stream(1).await;
    assert!(told(&mut old).await.is_none());
    told(&mut new).await.unwrap();
    server.tailnet.ask(Command::DeleteNode { node }).await.unwrap();
    assert!(told(&mut new).await.is_none());
    assert!(!server.tailnet.admits(&key(1)));
}

#[tokio::test]
async fn who_waits_for_an_administrator_is_woken_by_the_approval() {
    let server = Server::start().await;
    let asked = server.tailnet.ask(Command::Register(Box::new(Server::request(1)))).await;
    let Ok(Reply::Waiting { auth_id }) = asked else { panic!("{asked:?}") };
    let (tailnet, id): (_, AuthId) = (server.tailnet.clone(), auth_id.clone());
    let waiting = tokio::spawn(async move { tailnet.wait_for_approval(id, key(1), Duration::from_secs(60)).await });
    server.tailnet.ask(Command::Approve { auth_id, user: server.user, key_expiry: None }).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("woken").unwrap();
    assert!(server.tailnet.admits(&key(1)));
}

#[tokio::test]
async fn a_node_that_waits_for_approval_gets_its_peers_on_the_stream_that_it_holds() {
    let server = Server::start().await;
    let peer = server.join(1).await;
    server.tailnet.ask(Command::SetSettings(Settings { device_approval: true })).await.unwrap();
    let node = server.join(2).await;
    let mut stream = server.stream(2).await;
    let first = told(&mut stream).await.unwrap();
    assert!(!first.node.unwrap().machine_authorized && first.peers.is_empty());
    assert!(!server.tailnet.admits(&key(2)));
    let asked = std::time::Instant::now();
    server.tailnet.ask(Command::ApproveNode { node }).await.unwrap();
    let next = told(&mut stream).await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(next.node.unwrap().machine_authorized);
    assert_eq!(next.peers_changed.iter().map(|peer| peer.id).collect::<Vec<_>>(), [peer.0]);
    assert!(server.tailnet.admits(&key(2)));
}

#[tokio::test]
async fn a_suspended_user_s_node_is_told_to_sign_in_again_and_relays_let_it_go() {
    let server = Server::start().await;
    let bob = Command::CreateUser { login_name: "bob".to_owned(), display_name: String::new() };
    let Ok(Reply::UserCreated(bob)) = server.tailnet.ask(bob).await else { panic!("no user") };
    let watcher = server.join(1).await;
    let node = server.join_as(2, bob).await;
    let (mut watching, mut stream) = (server.stream(1).await, server.stream(2).await);
    told(&mut watching).await.unwrap();
    told(&mut stream).await.unwrap();
    server.tailnet.ask(Command::SuspendUser { user: bob }).await.unwrap();
    assert!(!server.tailnet.admits(&key(2)));
    let told_itself = told(&mut stream).await.unwrap();
    let itself = told_itself.node.unwrap();
    assert!(itself.expired && itself.key_expiry.is_some_and(|at| at <= now().wall), "{:?}", itself.key_expiry);
    assert_eq!(told_itself.peers_removed, [watcher.0]);
    let removed = async |stream: &mut MapStream| loop {
        let next = told(stream).await.unwrap();
        if !next.peers_removed.is_empty() {
            return next.peers_removed;
        }
    };
    assert_eq!(removed(&mut watching).await, [node.0]);
    server.tailnet.ask(Command::RestoreUser { user: bob }).await.unwrap();
    assert!(server.tailnet.admits(&key(2)));
    let back = told(&mut stream).await.unwrap();
    assert!(!back.node.unwrap().expired);
    assert_eq!(back.peers_changed.iter().map(|peer| peer.id).collect::<Vec<_>>(), [watcher.0]);
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_stop() {
    let server = Server::start().await;
    let node = server.join(1).await;
    let before = server.tailnet.read(|coordinator| coordinator.snapshot()).await.unwrap();
    server.tailnet.stop().await;
    server.ended.await.unwrap();
    assert!(server.tailnet.ask(Command::Tick).await.is_err());
    let (tailnet, _ended) = open(&server.folder).await;
    let after = tailnet.read(|coordinator| coordinator.snapshot()).await.unwrap();
    assert_eq!((before.nodes, before.users, before.auth_keys), (after.nodes, after.users, after.auth_keys));
    assert!(tailnet.read(move |coordinator| coordinator.node(node).is_some()).await.unwrap());
}
