//! The servers that the API leans on, and whether each of them answers. None is needed to start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use platform::bus::Bus;
use platform::kms::{Kms, KmsError};
use platform::payload::Codec;
use platform::settings::Settings;
use temporalio_client::Client;
use temporalio_client::tonic::Request;
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceRequest;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// How long one of them may take to say that it is there.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Pauses between tries to connect to Temporal.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Connections beside Postgres, made in the background and healed by themselves.
pub struct Dependencies {
    temporal: watch::Receiver<Option<(Client, Codec)>>,
    redis: platform::health::Redis,
    /// Word to and from the other replicas.
    pub bus: Arc<Bus>,
}

impl Dependencies {
    /// Fails on an address that can never be right, not on a server that is away.
    pub(crate) fn connect(
        settings: &Settings,
        kms: Arc<Kms>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let (send, temporal) = watch::channel(None);
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(connect_temporal(
            settings.clone(),
            kms,
            send,
        )));
        Ok(Self {
            temporal,
            redis: platform::health::Redis::new(&settings.redis_url)?,
            bus: Arc::new(Bus::new(&settings.nats_url, "api")),
        })
    }

    /// The Temporal client once it is connected; until then the relay does what is owed.
    pub fn temporal(&self) -> Option<Client> {
        self.temporal
            .borrow()
            .as_ref()
            .map(|(client, _)| client.clone())
    }

    /// What opens payloads, from the same moment on.
    pub fn codec(&self) -> Option<Codec> {
        self.temporal
            .borrow()
            .as_ref()
            .map(|(_, codec)| codec.clone())
    }
}

async fn connect_temporal(
    settings: Settings,
    kms: Arc<Kms>,
    send: watch::Sender<Option<(Client, Codec)>>,
) {
    let connect = async || {
        let codec = Codec::open(Arc::clone(&kms), &settings.temporal_namespace).await?;
        let client = platform::temporal::connect_with(&settings, "api", &codec).await?;
        anyhow::Ok((client, codec))
    };
    loop {
        match connect().await {
            Ok(connected) => {
                send.send_replace(Some(connected));
                return;
            }
            Err(error) => tracing::debug!(error = format!("{error:#}"), "Temporal is away"),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// Asks each server whether it is there, all at once, and whether policies are.
pub(crate) async fn check(app: &App) -> Vec<(&'static str, Result<(), String>)> {
    let dependencies = &app.dependencies;
    let asked: [(&'static str, BoxFuture<'_, anyhow::Result<()>>); 5] = [
        ("kms", Box::pin(async { Ok(app.sealer.check().await?) })),
        ("nats", Box::pin(dependencies.bus.check())),
        (
            "postgres",
            Box::pin(async {
                let mut conn = app.pool.acquire().await?;
                Ok(db::stats::ping(&mut conn).await?)
            }),
        ),
        ("redis", Box::pin(dependencies.redis.check())),
        (
            "temporal",
            Box::pin(temporal(
                dependencies.temporal(),
                &app.settings.temporal_namespace,
            )),
        ),
    ];
    let mut answers = futures::future::join_all(asked.map(|(name, answer)| async move {
        let result = match tokio::time::timeout(ANSWER_LIMIT, answer).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(name, error = format!("{error:#}"), "not ready");
                // What the key service complains of is for operators to see: it names no secret.
                Err(match error.downcast_ref::<KmsError>() {
                    Some(error) => error.to_string(),
                    None => "does not answer".to_owned(),
                })
            }
            Err(_) => Err("does not answer in time".to_owned()),
        };
        (name, result)
    }))
    .await;
    // No server, and needed all the same.
    let policies = app.policies.usable(Instant::now());
    answers.push(("policies", policies.map(drop).map_err(|e| e.to_string())));
    answers
}

/// Asks for the namespace that everything of ours lives in.
async fn temporal(client: Option<Client>, namespace: &str) -> anyhow::Result<()> {
    let client = client.ok_or_else(|| anyhow::anyhow!("not connected yet"))?;
    let request = DescribeNamespaceRequest {
        namespace: namespace.to_owned(),
        ..DescribeNamespaceRequest::default()
    };
    let mut service = client.connection().workflow_service();
    service.describe_namespace(Request::new(request)).await?;
    Ok(())
}
