//! `berth up` from its first check to its last child.

use std::path::Path;

use anyhow::Context as _;
use tokio::sync::mpsc;

use super::UpArgs;
use super::context::Context;
use super::control::{self, Asked};
use super::detach;
use super::layout::Layout;
use super::member::Member;
use super::memory::Memory;
use super::server::{postgres, temporal};
use super::signals::Signals;
use super::supervisor::Supervisor;
use super::talk::{say, show};
use super::tools::Tools;
use super::{enroll, env_file, leftovers, nodes, privilege, role, sample, seed};
use crate::exit::Failure;

pub(super) async fn run(args: &UpArgs) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let layout = Layout::of_new(args.data_dir.as_deref())?;
    layout.make()?;
    let lock = layout.lock()?;
    env_file::remove()?;
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
        () = signals.insisted() => false,
    };
    if !stopped {
        say("berth: Ctrl-C again, killing what is left");
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
    let tools = Tools::find(&layout.dir("postgres"), args.dev_dir.as_deref())?;
    leftovers::clear(layout).await?;
    let mut memory = Memory::open(&layout.memory_file())?;
    if memory.nodes > args.nodes {
        say(format_args!(
            "berth: this stack has {} nodes, and all of them start (make clean-data forgets them)",
            memory.nodes
        ));
    }
    memory.nodes = memory.nodes.max(args.nodes);
    privilege::check(memory.nodes).await?;
    memory.save()?;
    Ok(Context {
        memory,
        layout: layout.clone(),
        tools,
        unsafe_fast: args.unsafe_fast,
        as_root: nix::unistd::geteuid().is_root(),
    })
}

/// Starts everything, then watches over it; returns only when something is beyond help.
async fn live(supervisor: &mut Supervisor, args: &UpArgs) -> anyhow::Result<()> {
    let ctx = supervisor.context().clone();
    let mut asked = control::listen(&ctx.layout)?;
    let nodes: Vec<Member> = (1..=ctx.memory.nodes).map(Member::Node).collect();
    start(supervisor, &ctx, &nodes).await?;
    let addresses = nodes
        .iter()
        .map(|node| Ok((node.to_string(), supervisor.node(*node)?)))
        .collect::<anyhow::Result<_>>()?;

    // Roles may die and people may ask for things while the last steps are taken.
    let finish = async {
        enroll::run(&ctx, &addresses).await?;
        let env_file = env_file::write(&ctx)?;
        greet(&ctx, &env_file);
        if !args.no_sample && ctx.memory.nodes > 0 {
            sample::run(&ctx).await?;
        }
        if args.detached {
            detach::let_go(&ctx.layout)
        } else {
            Ok(())
        }
    };
    tokio::select! {
        finished = finish => finished?,
        watched = watch(supervisor, &mut asked) => return watched,
    }
    watch(supervisor, &mut asked).await
}

/// What is used before those who use it; within a step, all at once.
async fn start(supervisor: &mut Supervisor, ctx: &Context, nodes: &[Member]) -> anyhow::Result<()> {
    // The slow one first.
    supervisor
        .start(&[
            Member::Temporal,
            Member::Redis,
            Member::Nats,
            Member::Postgres,
        ])
        .await?;
    postgres::furnish(ctx).await?;
    seed::plant(ctx).await.context("cannot seed the database")?;
    if !nodes.is_empty() {
        nodes::prepare(ctx)?;
        supervisor.start(&[Member::NodeHost]).await?;
    }
    supervisor.start(&[&Member::ROLES, nodes].concat()).await
}

fn greet(ctx: &Context, env_file: &Path) {
    let api = role::api_url(ctx);
    show("");
    show(format_args!(
        "Berth is up. API {api}/api/v1, OpenAPI {api}/openapi.json"
    ));
    show(format_args!(
        "  Temporal UI  {}/namespaces/{}/workflows",
        temporal::ui_url(ctx),
        temporal::NAMESPACE
    ));
    show(format_args!(
        "  settings     {} (addresses, keys)",
        env_file.display()
    ));
    show("  Ctrl-C ends everything and keeps the data; berth stack status shows what runs.");
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
