//! What every request can reach.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use db::PgPool;
use domain::id::ReplicaId;
use domain::ssh_public_key::WeakKeys;
use platform::dial::Dialer;
use platform::kms::{Keyring, Kms};
use platform::oidc::{Issuer, Pace, Relying};
use platform::sealing::Sealer;
use platform::settings::Settings;
use platform::signing::Signer;
use platform::ssh::Authority;
use platform::telemetry::Telemetry;
use secrecy::ExposeSecret;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dependency::Dependencies;
use crate::limit::Limits;
use crate::policy::Live;

/// Connections to Postgres that one API process opens at most.
const POOL_CONNECTIONS: u32 = 32;
/// How long a request waits for one of them.
const POOL_WAIT: Duration = Duration::from_secs(10);
/// A connection that was idle for longer is asked whether it is still there.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// The longest statement of a request, in milliseconds.
const STATEMENT_LIMIT_MILLIS: &str = "10000";

/// The state of one API process; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What [`App`] dereferences to.
pub struct Parts {
    pub pool: PgPool,
    pub settings: Settings,
    pub telemetry: Telemetry,
    pub dependencies: Dependencies,
    /// How often who may call.
    pub limits: Limits,
    /// What policy says; a request goes by what it took when it was let in.
    pub policies: Arc<Live>,
    /// Held while policies are read anew.
    pub(crate) loading: tokio::sync::Mutex<()>,
    /// Judges where nodes are said to be.
    pub dialer: Dialer,
    /// Seals and opens what `_enc` columns hold.
    pub sealer: Sealer,
    /// Berth's own signatures.
    pub signer: Signer,
    /// SSH keys that nobody may bring.
    pub weak_keys: WeakKeys,
    /// Signs tenants' certificates.
    pub authority: Authority,
    /// Whose access tokens are taken, if anybody's.
    pub issuer: Option<Issuer>,
    /// Ourselves as its client, where people log in with a browser.
    pub relying: Option<Relying>,
    /// This process among those that serve the API.
    pub replica: ReplicaId,
    /// Says to this replica that there is an order.
    pub orders: Notify,
    /// Work that outlives its request; waited for at shutdown.
    pub tasks: TaskTracker,
    /// Cancelled when the process is asked to stop: long polls end early.
    pub shutdown: CancellationToken,
    /// The OpenAPI document, rendered once.
    pub openapi: String,
}

impl App {
    /// Connects to nothing yet: the process starts, and says so on `/readyz`, while the database is away.
    pub fn new(
        settings: Settings,
        telemetry: Telemetry,
        shutdown: CancellationToken,
        openapi: String,
    ) -> anyhow::Result<Self> {
        let options: PgConnectOptions = settings.database_url.expose_secret().parse()?;
        let pool = PgPoolOptions::new()
            .max_connections(POOL_CONNECTIONS)
            .acquire_timeout(POOL_WAIT)
            // A connection that was just used is taken as it is: asking it first would cost every
            // request a round trip.
            .test_before_acquire(false)
            .before_acquire(|conn, metadata| {
                Box::pin(async move {
                    if metadata.idle_for > TRUSTED_IDLE {
                        conn.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(
                options
                    .application_name("berth-api")
                    .options([("statement_timeout", STATEMENT_LIMIT_MILLIS)]),
            );
        let policies = Arc::new(Live::open()?);
        let limits = Limits::new(&settings, Arc::clone(&policies))?;
        let dialer = Dialer::new(settings.node_probe_allowed_cidrs.clone())?;
        let keyring = Keyring::open_or_create(&settings.keyring_dir)?;
        let authority = Authority::open(&keyring)?;
        let weak_keys = platform::weak_keys::load(&settings)?;
        let kms = Arc::new(Kms::open(&settings, keyring)?);
        let dependencies = Dependencies::connect(&settings, Arc::clone(&kms), &shutdown)?;
        let sealer = Sealer::new(Arc::clone(&kms));
        let issuer = settings
            .oidc
            .as_ref()
            .map(|oidc| Issuer::start(oidc.rules.clone(), Pace::STANDARD, &shutdown))
            .transpose()?;
        let relying = settings.oidc.as_ref().and_then(|oidc| {
            let client = oidc.browsers.as_ref()?;
            Some(Relying::new(&oidc.rules, client))
        });
        let relying = relying.transpose()?;
        let signer = crate::signing_keys::signer(&pool, &sealer);
        let tasks = TaskTracker::new();
        Ok(Self(Arc::new(Parts {
            pool,
            settings,
            telemetry,
            dependencies,
            limits,
            policies,
            loading: tokio::sync::Mutex::default(),
            dialer,
            sealer,
            signer,
            weak_keys,
            authority,
            issuer,
            relying,
            replica: db::id::fresh(),
            orders: Notify::new(),
            tasks,
            shutdown,
            openapi,
        })))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
