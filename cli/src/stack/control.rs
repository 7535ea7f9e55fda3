//! The socket that `berth stack …` talks to: one JSON line each way.

use std::os::unix::fs::PermissionsExt;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::layout::Layout;
use super::supervisor::Supervisor;

const REQUEST_LIMIT_BYTES: u64 = 4096;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub(super) enum Request {
    Status,
    Stop { name: String },
    Start { name: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Members(Vec<Row>),
    NotFound(String),
    Failed(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) pid: Option<i32>,
    pub(super) address: Option<String>,
}

/// A request on its way to the supervisor.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// Listens, for the owner of the data folder alone.
pub(super) fn listen(layout: &Layout) -> anyhow::Result<mpsc::Receiver<Asked>> {
    let path = layout.control_socket();
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot listen at {}", path.display()))?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
    let (tell, asked) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let tell = tell.clone();
            // A caller that goes away has nobody to tell.
            tokio::spawn(async move { serve(socket, tell).await.ok() });
        }
    });
    Ok(asked)
}

async fn serve(socket: UnixStream, tell: mpsc::Sender<Asked>) -> anyhow::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut line = String::new();
    (&mut socket)
        .take(REQUEST_LIMIT_BYTES)
        .read_line(&mut line)
        .await?;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => {
            let (answer, answered) = oneshot::channel();
            tell.send(Asked { request, answer }).await?;
            answered.await?
        }
        Err(error) => Answer::Failed(error.to_string()),
    };
    socket.write_all(&serde_json::to_vec(&answer)?).await?;
    socket.shutdown().await?;
    Ok(())
}

/// Does what was asked.
pub(super) async fn obey(supervisor: &mut Supervisor, request: &Request) -> Answer {
    let (Request::Stop { name } | Request::Start { name }) = request else {
        return members(supervisor);
    };
    let member = match name.parse() {
        Ok(member) if supervisor.has(member) => member,
        _ => return Answer::NotFound(format!("this stack has no {name}")),
    };
    let done = match request {
        Request::Stop { .. } => supervisor.take_down(member).await,
        Request::Start { .. } | Request::Status => supervisor.bring_up(member).await,
    };
    match done {
        Ok(()) => members(supervisor),
        Err(error) => Answer::Failed(format!("{error:#}")),
    }
}

fn members(supervisor: &Supervisor) -> Answer {
    let rows = supervisor.report().into_iter().map(|report| Row {
        name: report.member.to_string(),
        state: report.state.to_owned(),
        pid: report.pid,
        address: report.address,
    });
    Answer::Members(rows.collect())
}

/// The other end: asks the `berth up` that runs on this folder.
pub(super) async fn ask(layout: &Layout, request: &Request) -> anyhow::Result<Answer> {
    let path = layout.control_socket();
    let mut socket = UnixStream::connect(&path)
        .await
        .with_context(|| format!("no stack is running on {}", layout.root().display()))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    socket.write_all(&line).await?;
    let mut text = Vec::new();
    socket.read_to_end(&mut text).await?;
    serde_json::from_slice(&text).context("the stack ended while it was asked")
}
