//! Which rates are in force: the values of the policies `rate_limit.*`, kept in memory, because a
//! caller who is to be held off must not cost a query.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::id::OrgId;
use domain::policy::{self, Policy};
use domain::rate::{Limit, Rate};
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// How old what is in force may be.
const REFRESH: Duration = Duration::from_secs(2);
/// What the first requests of a process wait for at most.
const FIRST_LOOK: Duration = Duration::from_secs(2);
const PREFIX: &str = "rate_limit.";

type Values = HashMap<(&'static str, Option<OrgId>), i64>;

/// The values as they were last read; the defaults until then.
#[derive(Default)]
pub(crate) struct Rates(RwLock<Arc<Values>>);

impl Rates {
    /// The rate of one caller: the organization's own, or the platform's.
    pub(super) fn of(&self, limit: &Limit, org: Option<OrgId>) -> Rate {
        Rate::new(
            self.value(limit.per_minute, org),
            self.value(limit.burst, org),
        )
    }

    pub(super) fn value(&self, policy: &Policy, org: Option<OrgId>) -> u32 {
        let values = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let own = org.and_then(|org| values.get(&(policy.key, Some(org))));
        let value = own.or_else(|| values.get(&(policy.key, None)));
        // Bounds of these policies are far inside.
        u32::try_from(value.copied().unwrap_or(policy.default)).unwrap_or(u32::MAX)
    }

    async fn refresh(&self, app: &App) -> db::Result<()> {
        let mut conn = app.pool.acquire().await.map_err(db::Error::from)?;
        let rows = db::policy::overrides(&mut conn, PREFIX).await?;
        let values = rows.into_iter().filter_map(|(key, org, value)| {
            let policy = policy::find(&key)?;
            // A value that is none was not written by us: the default is the safe one.
            Some(((policy.key, org), policy.parse(&value).ok()?))
        });
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(values.collect());
        Ok(())
    }
}

/// Reads the rates and connects to Redis, for a while at most, so that the first requests are
/// counted as all others are; then reads them again and again until `shutdown`. While the database
/// is away what was read last stays in force.
pub(crate) async fn keep_fresh(app: &App, shutdown: CancellationToken) {
    let (rates, redis) = futures::join!(
        tokio::time::timeout(FIRST_LOOK, app.limits.rates.refresh(app)),
        tokio::time::timeout(FIRST_LOOK, app.limits.limiter.connect()),
    );
    if !matches!(rates, Ok(Ok(()))) {
        tracing::warn!("rate limits begin with their defaults: the database does not answer");
    }
    if !matches!(redis, Ok(Ok(()))) {
        tracing::warn!("rate limits begin with this process alone: Redis does not answer");
    }
    let app = app.clone();
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        loop {
            tokio::time::sleep(REFRESH).await;
            if let Err(error) = app.limits.rates.refresh(&app).await {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "rate limits stay as they are");
            }
        }
    }));
}
