//! The client of the Temporal server. Everybody who talks to it connects here, so that all use the
//! same data converter.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, RetryOptions, UntypedWorkflow,
    WorkflowDescribeOptions, WorkflowExecutionStatus,
};
use url::Url;

use crate::kms::{Keyring, Kms};
use crate::payload::Codec;
use crate::settings::Settings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call is repeated inside the client; beyond it the caller decides.
const CALL_RETRY: Duration = Duration::from_secs(2);

/// Tells whether workflows run.
#[derive(Clone)]
pub struct Runs(Client);

impl Runs {
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Whether a run with that id is open. An error: Temporal does not say.
    pub async fn is_running(&self, workflow_id: &str) -> anyhow::Result<bool> {
        let handle = self.0.get_workflow_handle::<UntypedWorkflow>(workflow_id);
        match handle.describe(WorkflowDescribeOptions::default()).await {
            Ok(found) => Ok(matches!(
                found.status(),
                WorkflowExecutionStatus::Running | WorkflowExecutionStatus::Paused
            )),
            Err(WorkflowInteractionError::NotFound(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Connects once; repeating it is the caller's business. `role` names this process in the
/// server's task lists. Without keys for payloads there is no connection.
pub async fn connect(settings: &Settings, role: &str) -> anyhow::Result<Client> {
    let keyring = Keyring::open_or_create(&settings.keyring_dir)?;
    let kms = Arc::new(Kms::open(settings, keyring)?);
    let codec = Codec::open(kms, &settings.temporal_namespace)
        .await
        .context("get the keys of payloads")?;
    connect_with(settings, role, &codec).await
}

/// The same with a codec that is there already.
pub async fn connect_with(
    settings: &Settings,
    role: &str,
    codec: &Codec,
) -> anyhow::Result<Client> {
    let target = target(&settings.temporal_address)?;
    let options = ConnectionOptions::new(target)
        .identity(format!("{role}@{}", std::process::id()))
        .connect_timeout(CONNECT_TIMEOUT)
        .retry_options(
            RetryOptions::builder()
                .max_elapsed_time(Some(CALL_RETRY))
                .build(),
        )
        .build();
    let connection = Connection::connect(options)
        .await
        .with_context(|| format!("connect to Temporal at {}", settings.temporal_address))?;
    let mut options = ClientOptions::new(settings.temporal_namespace.clone()).build();
    options.data_converter = codec.converter();
    Ok(Client::new(connection, options)?)
}

fn target(address: &str) -> anyhow::Result<Url> {
    let text = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    Url::from_str(&text).with_context(|| format!("{address} is not a Temporal address"))
}
