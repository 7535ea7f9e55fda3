//! `berth up` from its first check to its last child.

use super::UpArgs;
use super::context::Context;
use super::control::{self, Asked};
use super::detach;
use super::layout::Layout;
use super::member::Member;
use super::memory::Memory;
use super::server::postgres;
use super::signals::Signals;
use super::supervisor::Supervisor;
use super::talk::say;
use super::tools::Tools;
use super::{leftovers, privilege};
use crate::exit::Failure;
use tokio::sync::mpsc;

pub(super) async fn run(args: &UpArgs) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let layout = Layout::of_new(args.data_dir.as_deref())?;
    layout.make()?;
    let lock = layout.lock()?;
    let ctx = prepare(&layout, args).await?;
    say(format_args!(
        "berth: data in {}, logs in {}",
        layout.root().display(),
        layout.dir("log").display()
    ));

    let mut supervisor = Supervisor::new(ctx, args.restart);
    let outcome = tokio::select! {
        outcome = live(&mut supervisor, args) => outcome,
        signal = signals.next() => {
            say(format_args!("berth: {signal}, stopping"));
            Ok(())
        }
    };
    let stopped = tokio::select! {
        () = supervisor.stop_all() => true,
        _ = signals.next() => false,
    };
    if !stopped {
        supervisor.kill_all();
        supervisor.stop_all().await;
    }
    for file in [layout.control_socket(), layout.up_pid()] {
        std::fs::remove_file(file).ok();
    }
    drop(lock);
    Ok(outcome?)
}

/// Everything that can refuse, before anything is started.
async fn prepare(layout: &Layout, args: &UpArgs) -> anyhow::Result<Context> {
    privilege::check(args.nodes).await?;
    let tools = Tools::find(&layout.dir("postgres"), args.dev_dir.as_deref())?;
    leftovers::clear(layout).await?;
    Ok(Context {
        memory: Memory::open(&layout.memory_file())?,
        layout: layout.clone(),
        tools,
        unsafe_fast: args.unsafe_fast,
        as_root: nix::unistd::geteuid().is_root(),
    })
}

/// Starts everything, then watches over it; returns only when something is beyond help.
async fn live(supervisor: &mut Supervisor, args: &UpArgs) -> anyhow::Result<()> {
    let mut asked = control::listen(&supervisor.context().layout)?;
    // The slow ones first.
    supervisor
        .start(&[
            Member::Temporal,
            Member::Redis,
            Member::Nats,
            Member::Postgres,
        ])
        .await?;
    postgres::furnish(supervisor.context()).await?;
    if args.detached {
        detach::let_go(&supervisor.context().layout)?;
    }
    watch(supervisor, &mut asked).await
}

async fn watch(
    supervisor: &mut Supervisor,
    asked: &mut mpsc::Receiver<Asked>,
) -> anyhow::Result<()> {
    loop {
        let restart = supervisor.next_restart();
        let due = async {
            match restart {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(ended) = supervisor.next_ending() => supervisor.bury(&ended),
            Some(Asked { request, answer }) = asked.recv() => {
                let done = control::obey(supervisor, &request).await;
                // The caller may have gone away.
                answer.send(done).ok();
            }
            () = due => supervisor.restart_due().await?,
        }
    }
}
