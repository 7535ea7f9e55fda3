//! Stands between a process and its database: it counts the answers, and can end the process with
//! SIGKILL at any of them, when the statement is done and the process has not heard of it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

/// The message that ends each answer of PostgreSQL's protocol (3.0, `ReadyForQuery`).
const READY: u8 = b'Z';

/// What became of the process.
#[derive(Debug)]
pub struct Ended {
    pub output: std::process::Output,
    /// Answers that it heard, and the one that it died at.
    pub answers: usize,
}

#[derive(Debug)]
pub struct Wire {
    listener: TcpListener,
    server: SocketAddr,
    /// The answer at which the process is ended.
    last: Option<usize>,
}

impl Wire {
    /// To the database that the address names.
    pub async fn to(database: &Url, last: Option<usize>) -> Self {
        let (host, port) = (database.host_str(), database.port());
        let server = format!("{}:{}", host.expect("a host"), port.expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await;
        Self {
            listener: listener.expect("loopback has ports"),
            server: server.parse().expect("loopback"),
            last,
        }
    }

    /// The same database by way of this wire, which has to read what is said.
    pub fn through(&self, database: &Url) -> Url {
        let here = self.listener.local_addr().expect("bound");
        let mut url = database.clone();
        url.set_port(Some(here.port())).expect("a URL with a host");
        url.set_query(Some("sslmode=disable"));
        url
    }

    /// Runs the process to its end.
    pub async fn run(self, mut command: Command) -> Ended {
        command.stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let (tell, pid) = watch::channel(None);
        let answers = Arc::new(AtomicUsize::new(0));
        let heard = answers.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "the database of the test's own stack"
        )]
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (process, _) = self.listener.accept().await.expect("a connection");
                let server = TcpStream::connect(self.server).await.expect("a server");
                for side in [&process, &server] {
                    side.set_nodelay(true).expect("a socket");
                }
                let counter = Counter {
                    answers: heard.clone(),
                    last: self.last,
                    pid: pid.clone(),
                };
                connections.spawn(connect(process, server, counter));
            }
        });
        let child = command.spawn().expect("a process");
        let id = child.id().expect("it runs");
        tell.send_replace(Some(Pid::from_raw(id.try_into().expect("a process id"))));
        let output = child.wait_with_output().await.expect("its end");
        serving.abort();
        drop(serving.await);
        Ended {
            output,
            answers: answers.load(Ordering::SeqCst),
        }
    }
}

struct Counter {
    answers: Arc<AtomicUsize>,
    last: Option<usize>,
    pid: watch::Receiver<Option<Pid>>,
}

/// Until either side has gone; then the other one is told.
async fn connect(process: TcpStream, server: TcpStream, counter: Counter) {
    let (from_process, to_process) = process.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        _ = pass(from_process, to_server) => {}
        _ = answers(from_server, to_process, counter) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> std::io::Result<u64> {
    tokio::io::copy(&mut from, &mut to).await
}

/// Message by message: a letter, the length of the rest with its own four bytes, the rest.
async fn answers(
    from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut counter: Counter,
) -> std::io::Result<()> {
    let mut from = tokio::io::BufReader::new(from);
    // The first one greets.
    let mut greeted = false;
    loop {
        let mut message = vec![from.read_u8().await?];
        let length = from.read_u32().await?;
        message.extend(length.to_be_bytes());
        let rest = usize::try_from(length).expect("it fits") - 4;
        message.resize(message.len() + rest, 0);
        let at = message.len() - rest;
        from.read_exact(&mut message[at..]).await?;
        if message[0] == READY && std::mem::replace(&mut greeted, true) {
            let number = counter.answers.fetch_add(1, Ordering::SeqCst) + 1;
            if counter.last == Some(number) {
                let pid = counter.pid.wait_for(Option::is_some).await;
                let pid = pid.expect("it was started").expect("it is there");
                kill(pid, Signal::SIGKILL).expect("it runs");
                return Ok(());
            }
        }
        to.write_all(&message).await?;
    }
}
