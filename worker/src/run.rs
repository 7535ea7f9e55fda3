//! `berth worker`: one Temporal worker a queue, all in one process.

use std::sync::Arc;
use std::time::Duration;

use activities::machine::Machines;
use anyhow::Context;
use backon::{ExponentialBuilder, Retryable};
use contract::queue;
use futures::future::try_join_all;
use platform::dial::Dialer;
use platform::kms::{Keyring, Kms};
use platform::objects::Objects;
use platform::sealing::Sealer;
use platform::settings::Settings;
use platform::ssh::Authority;
use platform::telemetry::Telemetry;
use temporalio_client::Client;
use temporalio_sdk::runtime::RuntimeOptions;
use temporalio_sdk::{Runtime, Worker};
use tokio_util::sync::CancellationToken;

use crate::registry::{self, GRACE, QUEUES, World};
use crate::watch::Watch;
use crate::{metrics, postgres, schedules};

/// On top of the grace: a poll that hangs must not keep a stopped process alive.
const HARD_STOP: Duration = Duration::from_secs(10);
const RECONNECT_MAX: Duration = Duration::from_secs(5);

/// Serves the queues until `shutdown`. The future is not `Send`: run it on the main task. An
/// error means that the process should end and be started again. `watch` stands around every step.
pub async fn run(
    settings: Settings,
    queues: Vec<String>,
    telemetry: Telemetry,
    watch: Option<Watch>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    for name in &queues {
        anyhow::ensure!(
            queue::ALL.contains(&name.as_str()),
            "there is no queue {name}; there are {}",
            queue::ALL.join(", ")
        );
    }
    let has_work = |name: &String| QUEUES.contains(&name.as_str());
    anyhow::ensure!(
        queues.iter().any(has_work),
        "none of these queues has work; those that have are {}",
        QUEUES.join(", ")
    );
    let machines = machines(&settings)?;
    let Some(client) = connect(&settings, "worker", &shutdown).await else {
        return Ok(());
    };
    let world = World {
        pool: machines.pool.clone(),
        owner: postgres::owner_pool(&settings)?,
        objects: Objects::open(&settings.objects)?,
        machines: Arc::new(machines),
        client: client.clone(),
    };
    let mut options = Vec::new();
    for name in &queues {
        if let Some(mut served) = registry::options(name, &world)? {
            if let Some(watch) = &watch {
                served.activity_inbound_interceptor(watch.clone());
            }
            options.push(served);
        } else {
            tracing::warn!(queue = name, "there is no work for this queue yet");
        }
    }
    let runtime = Runtime::from_current_tokio(RuntimeOptions::default())?;
    let mut workers = options
        .into_iter()
        .map(|options| Ok(Worker::new(&runtime, client.clone(), options)?))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let stops: Vec<_> = workers.iter().map(Worker::shutdown_handle).collect();
    tracing::info!(queues = queues.join(","), "serving");

    let ended = CancellationToken::new();
    let work = async {
        let _ended = ended.clone().drop_guard();
        try_join_all(workers.iter_mut().map(Worker::run)).await
    };
    let stop = async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = ended.cancelled() => return,
        }
        for stop in &stops {
            stop();
        }
        tokio::select! {
            () = ended.cancelled() => {}
            () = tokio::time::sleep(GRACE + HARD_STOP) => {
                tracing::warn!("a worker does not stop: ending without it");
            }
        }
    };
    let schedules = async {
        if queues.iter().any(|name| name == queue::MAINTENANCE) {
            schedules::keep(&client, &shutdown).await;
        }
        std::future::pending::<()>().await;
    };
    let metrics = metrics::serve(&settings, telemetry, shutdown.clone());
    tokio::select! {
        done = work => { done.context("a Temporal worker ended")?; }
        () = stop => {}
        () = schedules => {}
        Err(error) = metrics => return Err(error.context("BERTH_WORKER_METRICS_LISTEN")),
    }
    world.pool.close().await;
    world.owner.close().await;
    Ok(())
}

fn machines(settings: &Settings) -> anyhow::Result<Machines> {
    let pool = postgres::pool(settings, "worker")?;
    let keyring = Keyring::open_or_create(&settings.keyring_dir)?;
    let authority = Authority::open(&keyring)?;
    let sealer = Sealer::new(Arc::new(Kms::open(settings, keyring)?));
    Ok(Machines {
        dialer: Dialer::new(settings.node_probe_allowed_cidrs.clone())?,
        authority,
        weak_keys: platform::weak_keys::load(settings)?,
        signer: api::signing_keys::signer(&pool, &sealer),
        pool,
    })
}

/// Connects to Temporal, however long that takes. `None`: a stop was asked for first.
pub(crate) async fn connect(
    settings: &Settings,
    role: &str,
    shutdown: &CancellationToken,
) -> Option<Client> {
    let backoff = ExponentialBuilder::default()
        .with_max_delay(RECONNECT_MAX)
        .with_jitter()
        .without_max_times();
    let connected = (|| platform::temporal::connect(settings, role))
        .retry(backoff)
        .notify(|error, pause| tracing::warn!(%error, ?pause, "Temporal is away"));
    tokio::select! {
        () = shutdown.cancelled() => None,
        client = connected => client.ok(),
    }
}
