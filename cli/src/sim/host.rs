//! `berth node-host`: the one process of a local stack that needs to be root. It makes nodes for
//! whoever holds a connection to its socket, and unmakes them when the connection ends.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use ipnet::Ipv4Net;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fault;
use super::machine::Machine;
use super::network::{self, Link};
use super::place::Places;
use super::protocol::{NodeAddress, NodeAnswer, NodeRequest};

/// sshd's port on every simulated node.
const SSH_PORT: u16 = 22;
/// A request is one short line.
const REQUEST_LIMIT_BYTES: u64 = 4096;

/// Makes simulated nodes (as root) for those who connect to its socket. Ends, and ends all nodes,
/// on TERM or when its standard input closes.
#[derive(Debug, clap::Args)]
pub(crate) struct HostArgs {
    /// Folder of the nodes' state, one sub-folder each.
    #[arg(long)]
    dir: PathBuf,
    /// Socket to listen at; the invoking user alone may connect.
    #[arg(long)]
    socket: PathBuf,
    /// Network to take the nodes' addresses from, four addresses a node.
    #[arg(long)]
    cidr: Ipv4Net,
    /// File with the public key of the SSH authority that nodes trust.
    #[arg(long)]
    authority: PathBuf,
    /// What the names of this stack's network namespaces start with.
    #[arg(long)]
    prefix: String,
    /// User and group that own the socket and the fault knobs; set by sudo.
    #[arg(long, env = "SUDO_UID", hide = true)]
    owner_uid: Option<u32>,
    #[arg(long, env = "SUDO_GID", hide = true)]
    owner_gid: Option<u32>,
}

#[derive(Debug)]
struct Host {
    directory: PathBuf,
    cidr: Ipv4Net,
    authority: String,
    prefix: String,
    owner: Option<(u32, u32)>,
    places: Places,
}

/// Runs until told to end. All nodes are gone when it returns.
pub(crate) async fn run(args: HostArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        nix::unistd::geteuid().is_root(),
        "berth node-host makes namespaces and accounts: it must run as root"
    );
    anyhow::ensure!(
        !args.prefix.is_empty()
            && args
                .prefix
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-'),
        "a prefix has letters, digits and hyphens"
    );
    std::fs::create_dir_all(&args.dir)?;
    let host = Arc::new(Host {
        directory: args.dir.canonicalize()?,
        cidr: args.cidr.trunc(),
        authority: authority(&args.authority)?,
        prefix: args.prefix,
        owner: args.owner_uid.zip(args.owner_gid),
        places: Places::default(),
    });
    network::clear_leftovers(&host.prefix).await?;
    network::ensure_unused(host.cidr).await?;

    let listener = listen(&args.socket, host.owner)?;
    let stop = stop_on_term_or_closed_input()?;
    let nodes = TaskTracker::new();
    loop {
        let (socket, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = stop.cancelled() => break,
        };
        let (host, stop) = (host.clone(), stop.clone());
        nodes.spawn(async move {
            if let Err(error) = serve(&host, socket, &stop).await {
                tracing::warn!("{error:#}");
            }
        });
    }
    nodes.close();
    nodes.wait().await;
    std::fs::remove_file(&args.socket)?;
    Ok(())
}

/// One connection: request, node, answer, and the node's life.
async fn serve(host: &Host, socket: UnixStream, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut text = String::new();
    let mut limited = (&mut socket).take(REQUEST_LIMIT_BYTES);
    tokio::select! {
        read = limited.read_line(&mut text) => read?,
        () = stop.cancelled() => return Ok(()),
    };
    let request = serde_json::from_str::<NodeRequest>(&text)
        .map_err(anyhow::Error::from)
        .and_then(|request| request.check().map(|()| request));
    let request = match request {
        Ok(request) => request,
        Err(error) => return answer(&mut socket, &failed(&error)).await,
    };
    match live(host, &request, &mut socket, stop).await {
        Ok(()) => Ok(()),
        Err(error) => answer(&mut socket, &failed(&error)).await,
    }
}

/// The node's whole life; nothing of it is left in this machine's network afterwards.
async fn live(
    host: &Host,
    request: &NodeRequest,
    socket: &mut BufReader<UnixStream>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let link = Link::new(&host.prefix, &request.name, host.cidr, request.index)?;
    let _place = host.places.take(&request.name, request.index).await?;
    let outcome = live_on(host, &link, request, socket, stop).await;
    link.down().await;
    outcome
}

/// Boots the node, says where it is, and keeps it until connection, node or host ends.
async fn live_on(
    host: &Host,
    link: &Link,
    request: &NodeRequest,
    socket: &mut BufReader<UnixStream>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    link.up().await?;
    let mut machine =
        Machine::start(&host.directory, &host.authority, host.owner, link, request).await?;
    let address = NodeAddress {
        host: link.node,
        port: SSH_PORT,
        host_key: machine.host_key.clone(),
    };
    if let Err(error) = answer(socket, &NodeAnswer::Ready(address)).await {
        machine.end().await;
        return Err(error);
    }
    tracing::info!(node = request.name, address = %link.node, "node started");
    let mut closed = [0];
    tokio::select! {
        _ = socket.read(&mut closed) => {}
        () = fault::follow(&mut machine) => {
            tracing::warn!(node = request.name, "node ended by itself");
        }
        () = stop.cancelled() => {}
    }
    machine.end().await;
    tracing::info!(node = request.name, "node ended");
    Ok(())
}

fn failed(error: &anyhow::Error) -> NodeAnswer {
    NodeAnswer::Failed {
        error: format!("{error:#}"),
    }
}

async fn answer(socket: &mut BufReader<UnixStream>, answer: &NodeAnswer) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(answer)?;
    line.push('\n');
    socket.write_all(line.as_bytes()).await?;
    socket.flush().await?;
    Ok(())
}

fn authority(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the SSH authority {}", path.display()))?;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        ssh_key::PublicKey::from_openssh(line).context("the SSH authority is not a public key")?;
    }
    Ok(text)
}

/// The socket exists under its name only once it has its owner and mode.
fn listen(path: &Path, owner: Option<(u32, u32)>) -> anyhow::Result<UnixListener> {
    let unfinished = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener = UnixListener::bind(&unfinished)
        .with_context(|| format!("cannot listen at {}", path.display()))?;
    std::fs::set_permissions(&unfinished, std::fs::Permissions::from_mode(0o600))?;
    if let Some((uid, gid)) = owner {
        chown(&unfinished, Some(uid), Some(gid))?;
    }
    std::fs::rename(&unfinished, path)?;
    Ok(listener)
}

fn stop_on_term_or_closed_input() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {} _ = interrupt.recv() => {} }
        signalled.cancel();
    });
    // A plain thread: tokio's own standard input would hold up the end of the process.
    let closed = stop.clone();
    std::thread::spawn(move || {
        if let Err(error) = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()) {
            tracing::debug!(%error, "standard input");
        }
        closed.cancel();
    });
    Ok(stop)
}
