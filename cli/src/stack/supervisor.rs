//! Starts the members of a stack, waits until each can be used, notices when one dies, and ends
//! them in order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::future;
use tokio::sync::mpsc;

use super::child::{Ended, Running};
use super::context::Context;
use super::member::Member;
use super::nodes::{self, Answer};
use super::server::{nats, postgres, redis, temporal};
use super::talk::say;
use super::{log, role};

const READY_LIMIT: Duration = Duration::from_mins(1);
const TRY_LIMIT: Duration = Duration::from_secs(5);
const TRY_AGAIN: Duration = Duration::from_millis(50);
/// A worker gives its steps ten seconds, and its polls ten more.
const ROLE_GRACE: Duration = Duration::from_secs(25);
const SERVER_GRACE: Duration = Duration::from_secs(20);
/// A role that lived this long died of something new.
const STEADY: Duration = Duration::from_secs(30);
const RESTART_DELAY_MAX: Duration = Duration::from_secs(5);

pub(super) struct Supervisor {
    ctx: Context,
    restart: bool,
    /// Everything that this stack has, whether it runs or not.
    members: BTreeMap<Member, Part>,
    /// What each node's tether was told.
    answers: BTreeMap<Member, Answer>,
    tell: mpsc::UnboundedSender<Ended>,
    endings: mpsc::UnboundedReceiver<Ended>,
}

struct Part {
    running: Running,
    since: Instant,
    /// Somebody asked for it to be down.
    stopped: bool,
    /// Deaths in a row, each soon after its start.
    failures: u32,
    restart_at: Option<Instant>,
}

/// A member as `berth stack status` shows it.
pub(super) struct Report {
    pub(super) member: Member,
    pub(super) state: &'static str,
    pub(super) pid: Option<i32>,
    pub(super) address: Option<String>,
}

impl Supervisor {
    pub(super) fn new(ctx: Context, restart: bool) -> Supervisor {
        let (tell, endings) = mpsc::unbounded_channel();
        Supervisor {
            ctx,
            restart,
            members: BTreeMap::new(),
            answers: BTreeMap::new(),
            tell,
            endings,
        }
    }

    pub(super) fn context(&self) -> &Context {
        &self.ctx
    }

    /// Starts these together and returns when all can be used.
    pub(super) async fn start(&mut self, members: &[Member]) -> anyhow::Result<()> {
        let begun = Instant::now();
        for member in members {
            self.launch(*member).await?;
        }
        let this = &*self;
        future::try_join_all(members.iter().map(|member| async move {
            this.ready(*member).await?;
            let address = this.address(*member).unwrap_or_default();
            say(format_args!(
                "  {member:10} ready  {address:22} {:.1} s",
                begun.elapsed().as_secs_f32()
            ));
            anyhow::Ok(())
        }))
        .await?;
        Ok(())
    }

    /// Starts one process, in place of the one that ran before.
    async fn launch(&mut self, member: Member) -> anyhow::Result<()> {
        let ctx = &self.ctx;
        let spec = match member {
            Member::Postgres => {
                postgres::prepare(ctx).await?;
                postgres::spec(ctx)
            }
            Member::Redis => redis::spec(ctx),
            Member::Nats => {
                nats::prepare(ctx)?;
                nats::spec(ctx)
            }
            Member::Temporal => temporal::spec(ctx),
            Member::Api => role::api(ctx),
            Member::Worker => role::worker(ctx),
            Member::Relay => role::relay(ctx),
            Member::NodeHost => nodes::host(ctx),
            Member::Node(number) => nodes::tether(ctx, number),
        };
        let mut running = Running::start(member, &spec, &ctx.layout, self.tell.clone())?;
        if let Some(output) = running.output.take() {
            self.answers.insert(member, Answer::read(output));
        }
        let failures = self.members.get(&member).map_or(0, |part| part.failures);
        self.members.insert(
            member,
            Part {
                running,
                since: Instant::now(),
                stopped: false,
                failures,
                restart_at: None,
            },
        );
        Ok(())
    }

    /// Tries the member until it can be used, it ends, or too much time has passed.
    async fn ready(&self, member: Member) -> anyhow::Result<()> {
        let part = self
            .members
            .get(&member)
            .with_context(|| format!("{member} was not started"))?;
        let failed = |why: String| {
            let log = self.ctx.layout.log_file(&member.to_string());
            anyhow::anyhow!("{member} {why}; {}", log::tail(&log))
        };
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let attempt = tokio::time::timeout(TRY_LIMIT, self.probe(member));
            let outcome = tokio::select! {
                status = part.running.ended() => return Err(failed(format!("ended ({status})"))),
                outcome = attempt => outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer"))),
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(failed(format!(
                        "is not ready after {} s ({error:#})",
                        READY_LIMIT.as_secs()
                    )));
                }
                Err(_) => tokio::time::sleep(TRY_AGAIN).await,
            }
        }
    }

    async fn probe(&self, member: Member) -> anyhow::Result<()> {
        let ctx = &self.ctx;
        match member {
            Member::Postgres => postgres::probe(ctx).await,
            Member::Redis => redis::probe(ctx).await,
            Member::Nats => nats::probe(ctx).await,
            Member::Temporal => temporal::probe(ctx).await,
            Member::Api => role::probe_api(ctx).await,
            // They show that they work by working: nothing else of a stack is ready without them.
            Member::Worker | Member::Relay => Ok(()),
            Member::NodeHost => nodes::probe_host(ctx),
            Member::Node(_) => self.node(member).map(drop),
        }
    }

    /// Where a running node is.
    pub(super) fn node(&self, member: Member) -> anyhow::Result<nodes::Address> {
        self.answers.get(&member).context("not started")?.address()
    }

    fn address(&self, member: Member) -> Option<String> {
        if let Member::Node(_) = member {
            return self
                .node(member)
                .ok()
                .map(|address| format!("{}:{}", address.host, address.port));
        }
        role::port(member).map(|port| self.ctx.memory.address(port))
    }

    /// The next child that ended; never resolves while all live.
    pub(super) async fn next_ending(&mut self) -> Option<Ended> {
        self.endings.recv().await
    }

    /// Takes note of a death that nobody asked for.
    pub(super) fn bury(&mut self, ended: &Ended) {
        let Some(part) = self.members.get_mut(&ended.member) else {
            return;
        };
        if part.stopped || part.running.pid != ended.pid {
            return;
        }
        let (member, status) = (ended.member, ended.status);
        if !(self.restart && member.is_role()) {
            say(format_args!(
                "berth: {member} ended ({status}); `berth stack start {member}` brings it back"
            ));
            return;
        }
        part.failures = if part.since.elapsed() > STEADY {
            0
        } else {
            part.failures + 1
        };
        let delay = Duration::from_millis(100 << part.failures.min(6)).min(RESTART_DELAY_MAX);
        part.restart_at = Some(Instant::now() + delay);
        say(format_args!(
            "berth: {member} ended ({status}), starting it again"
        ));
    }

    /// When the next dead role is due to be started again.
    pub(super) fn next_restart(&self) -> Option<Instant> {
        self.members
            .values()
            .filter_map(|part| part.restart_at)
            .min()
    }

    /// Starts the roles that are due again, without waiting for them.
    pub(super) async fn restart_due(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let due = |part: &Part| part.restart_at.is_some_and(|at| at <= now);
        let members: Vec<Member> = self
            .members
            .iter()
            .filter(|(_, part)| due(part))
            .map(|(member, _)| *member)
            .collect();
        for member in members {
            self.launch(member).await?;
        }
        Ok(())
    }

    pub(super) fn has(&self, member: Member) -> bool {
        self.members.contains_key(&member)
    }

    /// Starts a member that is down; one that runs is left alone.
    pub(super) async fn bring_up(&mut self, member: Member) -> anyhow::Result<()> {
        match self.members.get(&member) {
            None => bail!("this stack has no {member}"),
            Some(part) if part.running.status().is_none() => Ok(()),
            Some(_) => {
                self.launch(member).await?;
                self.ready(member).await
            }
        }
    }

    /// Ends a member until it is started again.
    pub(super) async fn take_down(&mut self, member: Member) -> anyhow::Result<()> {
        let part = self
            .members
            .get_mut(&member)
            .with_context(|| format!("this stack has no {member}"))?;
        part.stopped = true;
        part.restart_at = None;
        part.failures = 0;
        part.running.stop(grace(member)).await;
        Ok(())
    }

    /// Ends everything: first those who use, then what they use.
    pub(super) async fn stop_all(&mut self) {
        let nodes: BTreeSet<Member> = self
            .members
            .keys()
            .copied()
            .filter(|member| matches!(member, Member::Node(_)))
            .collect();
        let order = [
            Member::ROLES.into(),
            nodes,
            [Member::NodeHost].into(),
            Member::SERVERS.into(),
        ];
        for group in order {
            let parts = self
                .members
                .iter_mut()
                .filter(|(member, _)| group.contains(member));
            future::join_all(parts.map(|(member, part)| {
                part.stopped = true;
                part.running.stop(grace(*member))
            }))
            .await;
        }
    }

    /// Ends everything at once, but for what takes the nodes' network away: killed, it would leave it.
    pub(super) fn kill_all(&self) {
        self.members
            .iter()
            .filter(|(member, _)| **member != Member::NodeHost)
            .for_each(|(_, part)| part.running.kill());
    }

    pub(super) fn report(&self) -> Vec<Report> {
        let state = |part: &Part| match (part.running.status(), part.restart_at) {
            (None, _) => "running",
            (Some(_), _) if part.stopped => "stopped",
            (Some(_), Some(_)) => "restarting",
            (Some(_), None) => "ended",
        };
        let alive = |part: &Part| part.running.status().is_none();
        self.members
            .iter()
            .map(|(member, part)| Report {
                member: *member,
                state: state(part),
                pid: alive(part).then(|| part.running.pid.as_raw()),
                address: self.address(*member),
            })
            .collect()
    }
}

fn grace(member: Member) -> Duration {
    if Member::SERVERS.contains(&member) {
        SERVER_GRACE
    } else {
        ROLE_GRACE
    }
}
