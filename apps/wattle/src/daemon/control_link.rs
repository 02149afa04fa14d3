//! The connection to the coordination server: dials when the session wants it, carries requests, brings answers.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wattle_keys::MachinePrivate;
use wattle_link::{ControlClient, ControlUrl, DialError, Dialer, Reply, StreamReply};
use wattle_session::{Kind, Request, RequestId, Response};
use wattle_wire::version;

use super::addresses::is_ours;
use super::input::{ControlNews, Generation, Input};
use super::limits::CONTROL_ANSWER_MAX;

/// The connection and what is on its way over it.
pub(super) struct ControlLink {
    dialer: Dialer,
    machine: MachinePrivate,
    inputs: mpsc::Sender<Input>,
    generation: Generation,
    dialing: Option<Task>,
    client: Option<ControlClient>,
    checking: Option<Task>,
    requests: BTreeMap<RequestId, Task>,
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ControlLink {
    pub(super) fn new(dialer: Dialer, machine: MachinePrivate, inputs: mpsc::Sender<Input>) -> Self {
        Self {
            dialer,
            machine,
            inputs,
            generation: Generation(0),
            dialing: None,
            client: None,
            checking: None,
            requests: BTreeMap::new(),
        }
    }

    /// Dials once. What comes of it is brought as [`ControlNews`].
    pub(super) fn connect(&mut self, url: &str) {
        self.disconnect();
        let (dialer, machine, inputs, generation) =
            (self.dialer.clone(), self.machine.clone(), self.inputs.clone(), self.generation);
        let url: Result<ControlUrl, DialError> = url.parse();
        self.dialing = Some(Task(tokio::spawn(async move {
            let dialed = match url {
                Ok(url) => ControlClient::dial(&dialer, &url, &machine, version::OURS).await,
                Err(error) => Err(error),
            };
            let news = dialed.map_or_else(ControlNews::DialFailed, ControlNews::Connected);
            _ = inputs.send(Input::Control(generation, news)).await;
        })));
    }

    /// Finds out whether it survived a change of the network; [`ControlNews::Lost`] follows if not.
    pub(super) fn check(&mut self) {
        let Some(client) = self.client.clone() else { return };
        let (inputs, generation) = (self.inputs.clone(), self.generation);
        self.checking = Some(Task(tokio::spawn(async move {
            let stands = client.local().is_none_or(is_ours) && client.is_alive(CONTROL_ANSWER_MAX).await;
            if !stands {
                _ = inputs.send(Input::Control(generation, ControlNews::Lost)).await;
            }
        })));
    }

    /// Closes it, with all that is on its way.
    pub(super) fn disconnect(&mut self) {
        self.generation.0 += 1;
        self.dialing = None;
        self.client = None;
        self.checking = None;
        self.requests.clear();
    }

    /// Whether news are of the present connection.
    pub(super) fn is_current(&self, generation: Generation) -> bool {
        self.generation == generation
    }

    /// Takes the connection that a dial made.
    pub(super) fn adopt(&mut self, client: ControlClient) {
        self.dialing = None;
        self.client = Some(client);
    }

    /// The connection, if it stands.
    pub(super) fn client(&self) -> Option<&ControlClient> {
        self.client.as_ref()
    }

    /// Sends a request.
    pub(super) fn send(&mut self, request: Request) {
        let (inputs, generation, id) = (self.inputs.clone(), self.generation, request.id);
        let Some(client) = self.client.clone() else { return };
        self.requests.retain(|_, task| !task.0.is_finished());
        let task = tokio::spawn(async move {
            let carried = match request.kind {
                Kind::Once | Kind::Held => carry(&client, request).await,
                Kind::Stream => stream(&client, request, &inputs, generation).await,
            };
            let news = carried.unwrap_or_else(|sentence| ControlNews::Failed(id, sentence));
            let lost = matches!(news, ControlNews::Failed(..)) && client.is_closed();
            _ = inputs.send(Input::Control(generation, news)).await;
            if lost {
                _ = inputs.send(Input::Control(generation, ControlNews::Lost)).await;
            }
        });
        self.requests.insert(id, Task(task));
    }

    /// Gives a request up.
    pub(super) fn cancel(&mut self, id: RequestId) {
        self.requests.remove(&id);
    }
}

async fn carry(client: &ControlClient, request: Request) -> Result<ControlNews, String> {
    let reply =
        client.post(request.path, Some(&request.node), request.body).await.map_err(|error| error.to_string())?;
    Ok(ControlNews::Answered(request.id, response(reply)))
}

async fn stream(
    client: &ControlClient,
    request: Request,
    inputs: &mpsc::Sender<Input>,
    generation: Generation,
) -> Result<ControlNews, String> {
    let opened = client.stream(request.path, Some(&request.node), request.body).await;
    let mut frames = match opened.map_err(|error| error.to_string())? {
        StreamReply::Frames(frames) => frames,
        StreamReply::Refused(reply) => return Ok(ControlNews::Answered(request.id, response(reply))),
    };
    while let Some(frame) = frames.next().await.map_err(|error| error.to_string())? {
        if inputs.send(Input::Control(generation, ControlNews::Frame(request.id, frame))).await.is_err() {
            break;
        }
    }
    Ok(ControlNews::StreamEnded(request.id))
}

fn response(reply: Reply) -> Response {
    Response { status: reply.status, retry_after: reply.retry_after, body: reply.body.to_vec() }
}
