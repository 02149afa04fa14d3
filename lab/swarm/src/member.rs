//! One member: the node's own session machine over a real connection, with nothing below it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use wattle_keys::{MachinePrivate, NodePublic};
use wattle_link::{ControlClient, ControlUrl, Dialer, StreamReply};
use wattle_netmap::{Endpoint, EndpointKind, HostFacts, Netmap};
use wattle_session::{Config, Event, HostReport, Kind, LoginOptions, Out, Request, RequestId, Response, Session};
use wattle_wire::control::MapResponse;
use wattle_wire::version;

/// Inputs that wait for the machine. A member that is this far behind has lost its connection anyway.
const INPUTS_MAX: usize = 64;
/// Frames that a member keeps for those who want to read them.
const FRAMES_KEPT_MAX: usize = 32;

/// A member of the swarm. Dropping it ends it, as pulling its plug would.
#[derive(Debug)]
pub struct Member {
    view: watch::Receiver<View>,
    task: JoinHandle<()>,
}

/// What a member knows at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The key that the server acknowledged; `None` before that.
    pub key: Option<NodePublic>,
    /// The map; without our own node before the first one came.
    pub map: Arc<Netmap>,
    /// Why the server refused, if it did.
    pub refused: Option<String>,
    /// Frames received.
    pub frames: usize,
    /// The latest of them, oldest first.
    pub latest: VecDeque<Frame>,
}

/// A frame of a map stream, as it came.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its place in the stream, from 1.
    pub number: usize,
    /// When it came.
    pub at: Instant,
    body: Arc<[u8]>,
}

impl Frame {
    /// What it says.
    pub fn message(&self) -> anyhow::Result<MapResponse> {
        Ok(serde_json::from_slice(&zstd::stream::decode_all(&*self.body)?)?)
    }
}

impl View {
    /// What came after a frame, keepalives left out.
    pub fn messages_after(&self, number: usize) -> anyhow::Result<Vec<MapResponse>> {
        let first = self.latest.front().map_or(0, |frame| frame.number);
        anyhow::ensure!(first <= number + 1, "frames after the {number}th are not kept any more");
        let fresh = self.latest.iter().filter(|frame| frame.number > number).map(Frame::message);
        let fresh = fresh.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(fresh.into_iter().filter(|message| !message.keep_alive).collect())
    }
}

enum Input {
    Connected(Result<ControlClient, String>),
    Answered(RequestId, Result<Response, String>),
    Frame(RequestId, Vec<u8>),
    StreamEnded(RequestId),
}

impl Member {
    /// Joins with an auth key.
    pub fn join(dialer: Arc<Dialer>, url: ControlUrl, auth_key: String, name: &str) -> anyhow::Result<Self> {
        let (publish, view) = watch::channel(View::default());
        let seed = wattle_clock::seed().context("no randomness")?;
        let facts = HostFacts { os: "linux".to_owned(), hostname: name.to_owned(), ..HostFacts::default() };
        let host = HostReport { facts, log_id: "0".repeat(64), ..HostReport::default() };
        let config = Config { version: version::OURS, node_key: None, host, ephemeral: false };
        let machine = MachinePrivate::from_bytes(wattle_clock::seed().context("no randomness")?);
        let driver = Driver {
            dialer,
            url,
            machine: Arc::new(machine),
            session: Session::new(config, seed),
            client: None,
            map: Netmap::default(),
            publish,
            seen: View::default(),
        };
        let endpoint = Endpoint { address: ([192, 0, 2, seed[0]], 41641).into(), kind: EndpointKind::Local };
        let task = tokio::spawn(driver.run(auth_key, endpoint));
        Ok(Self { view, task })
    }

    /// What it knows now.
    pub fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// Waits until it knows what the condition asks for.
    pub async fn wait_for(&mut self, condition: impl FnMut(&View) -> bool) -> anyhow::Result<View> {
        Ok(self.view.wait_for(condition).await.context("the member ended")?.clone())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Driver {
    dialer: Arc<Dialer>,
    url: ControlUrl,
    machine: Arc<MachinePrivate>,
    session: Session,
    client: Option<ControlClient>,
    map: Netmap,
    publish: watch::Sender<View>,
    seen: View,
}

impl Driver {
    async fn run(mut self, auth_key: String, endpoint: Endpoint) {
        let (sender, mut inputs) = mpsc::channel(INPUTS_MAX);
        let mut out = Out::default();
        self.session.set_endpoints(&[endpoint], wattle_clock::now(), &mut out);
        self.session.login(LoginOptions { auth_key: Some(auth_key), fresh_key: false }, wattle_clock::now(), &mut out);
        loop {
            self.carry_out(std::mem::take(&mut out), &sender);
            let due = self.session.next_timeout().map(|deadline| wattle_clock::until(deadline.latest));
            let input = match due {
                Some(wait) => tokio::time::timeout(wait, inputs.recv()).await.ok(),
                None => Some(inputs.recv().await),
            };
            let now = wattle_clock::now();
            match input {
                None => self.session.handle_timeout(now, &mut out),
                Some(None) => return,
                Some(Some(Input::Connected(Ok(client)))) => {
                    self.client = Some(client);
                    self.session.handle_connected(now, &mut out);
                }
                Some(Some(Input::Connected(Err(_)))) => self.session.handle_disconnected(now),
                Some(Some(Input::Answered(id, Ok(response)))) => {
                    self.session.handle_response(id, &response, now, &mut out)
                }
                Some(Some(Input::Answered(id, Err(_)))) => self.failed(id, &mut out),
                Some(Some(Input::StreamEnded(id))) => self.failed(id, &mut out),
                Some(Some(Input::Frame(id, frame))) => {
                    self.seen.frames += 1;
                    let (number, at, body) = (self.seen.frames, Instant::now(), Arc::from(frame.as_slice()));
                    self.seen.latest.push_back(Frame { number, at, body });
                    if self.seen.latest.len() > FRAMES_KEPT_MAX {
                        self.seen.latest.pop_front();
                    }
                    self.session.handle_frame(id, &frame, now, wattle_clock::unix_now(), &mut out);
                }
            }
        }
    }

    /// A request or stream broke: alone, or with its connection.
    fn failed(&mut self, id: RequestId, out: &mut Out) {
        let now = wattle_clock::now();
        if self.client.as_ref().is_some_and(ControlClient::is_closed) {
            self.client = None;
            self.session.handle_disconnected(now);
        } else {
            self.session.handle_failure(id, now, out);
        }
    }

    fn carry_out(&mut self, out: Out, inputs: &mpsc::Sender<Input>) {
        for event in out.events {
            match event {
                Event::Connect => self.dial(inputs.clone()),
                Event::Disconnect => self.client = None,
                Event::KeyAdopted(key) => self.seen.key = Some(key.public()),
                Event::Refused(why) => self.seen.refused = Some(why),
                Event::StandingChanged(_)
                | Event::BrowseTo(_)
                | Event::KeyForgotten
                | Event::Check
                | Event::SignedInAs(_)
                | Event::ControlTime(_)
                | Event::PingRequested { .. } => {}
            }
        }
        for request in out.requests {
            match self.client.clone() {
                Some(client) => ask(client, request, inputs.clone()),
                None => drop(inputs.try_send(Input::Answered(request.id, Err("not connected".to_owned())))),
            }
        }
        for delta in out.deltas {
            self.map.apply(delta);
        }
        self.seen.map = Arc::new(self.map.clone());
        self.publish.send_replace(self.seen.clone());
    }

    fn dial(&self, inputs: mpsc::Sender<Input>) {
        let (dialer, url, machine) = (Arc::clone(&self.dialer), self.url.clone(), Arc::clone(&self.machine));
        tokio::spawn(async move {
            let dialled = ControlClient::dial(&dialer, &url, &machine, version::OURS).await;
            let _gone = inputs.send(Input::Connected(dialled.map_err(|error| error.to_string()))).await;
        });
    }
}

fn ask(client: ControlClient, request: Request, inputs: mpsc::Sender<Input>) {
    tokio::spawn(async move {
        let id = request.id;
        let input = if request.kind == Kind::Stream {
            follow(&client, request, &inputs).await
        } else {
            let reply = client.post(request.path, Some(&request.node), request.body).await;
            Input::Answered(id, reply.map(answer).map_err(|error| error.to_string()))
        };
        let _gone = inputs.send(input).await;
    });
}

async fn follow(client: &ControlClient, request: Request, inputs: &mpsc::Sender<Input>) -> Input {
    let id = request.id;
    match client.stream(request.path, Some(&request.node), request.body).await {
        Ok(StreamReply::Frames(mut frames)) => {
            while let Ok(Some(frame)) = frames.next().await {
                if inputs.send(Input::Frame(id, frame.to_vec())).await.is_err() {
                    break;
                }
            }
            Input::StreamEnded(id)
        }
        Ok(StreamReply::Refused(reply)) => Input::Answered(id, Ok(answer(reply))),
        Err(error) => Input::Answered(id, Err(error.to_string())),
    }
}

fn answer(reply: wattle_link::Reply) -> Response {
    Response { status: reply.status, retry_after: reply.retry_after, body: reply.body.to_vec() }
}
