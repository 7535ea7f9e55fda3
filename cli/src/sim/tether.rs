//! `berth node-tether`: asks the host for a node and holds on to it. Ending this process, however
//! it ends, ends the node.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::protocol::{NodeAnswer, NodeRequest};

/// Holds one simulated node; prints its address as one JSON line once it accepts logins.
#[derive(Debug, clap::Args)]
pub(crate) struct TetherArgs {
    /// Socket of `berth node-host`.
    #[arg(long)]
    socket: PathBuf,
    /// Name of the node and of the folder that holds what survives its restart.
    #[arg(long)]
    name: String,
    /// Which /30 of the host's network the node gets.
    #[arg(long)]
    index: u32,
    /// How many GPUs it has.
    #[arg(long, default_value_t = 8)]
    gpus: u32,
    /// GPU model, as nvidia-smi prints it.
    #[arg(long, default_value = "NVIDIA H100 80GB HBM3")]
    gpu_model: String,
    /// Driver version, as nvidia-smi prints it.
    #[arg(long, default_value = "535.161.08")]
    driver_version: String,
    /// Memory of each GPU in MiB.
    #[arg(long, default_value_t = 81559)]
    gpu_memory_mib: u32,
}

/// Runs until the host goes away or the process is told to end.
pub(crate) async fn run(args: TetherArgs) -> anyhow::Result<()> {
    let mut socket = UnixStream::connect(&args.socket)
        .await
        .with_context(|| format!("no node host listens at {}", args.socket.display()))?;
    let request = NodeRequest {
        name: args.name,
        index: args.index,
        gpus: args.gpus,
        gpu_model: args.gpu_model,
        driver_version: args.driver_version,
        gpu_memory_mib: args.gpu_memory_mib,
    };
    let mut line = serde_json::to_string(&request)?;
    line.push('\n');
    socket.write_all(line.as_bytes()).await?;

    let mut socket = BufReader::new(socket);
    line.clear();
    socket.read_line(&mut line).await?;
    match serde_json::from_str(&line).context("the node host closed the connection")? {
        NodeAnswer::Ready(_) => {
            let mut stdout = std::io::stdout();
            stdout.write_all(line.as_bytes())?;
            stdout.flush()?;
        }
        NodeAnswer::Failed { error } => anyhow::bail!("{error}"),
    }
    // Nothing more is said: this read ends when the host closes the connection.
    socket.read_line(&mut line).await?;
    anyhow::bail!("the node ended")
}
