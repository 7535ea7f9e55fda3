//! Which rates are in force: the values of the policies `rate_limit.*` in the policy snapshot,
//! because a caller who is to be held off must not cost a query.

use std::sync::Arc;
use std::time::Duration;

use domain::id::OrgId;
use domain::policy::{Policy, Scope};
use domain::rate::{Limit, Rate};

use crate::app::App;
use crate::policy::{Live, PolicyClient as _, refresh};

/// What the first requests of a process wait for at most.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// The values in force; the defaults until there are any. However old they are: limits that are
/// not the newest are better than none.
pub(crate) struct Rates(pub(super) Arc<Live>);

impl Rates {
    /// The rate of one caller: the organization's own, or the platform's.
    pub(super) fn of(&self, limit: &Limit, org: Option<OrgId>) -> Rate {
        Rate::new(
            self.value(limit.per_minute, org),
            self.value(limit.burst, org),
        )
    }

    pub(super) fn value(&self, policy: &Policy, org: Option<OrgId>) -> u32 {
        let scope = org.map_or(Scope::Platform, Scope::Organization);
        let value = self
            .0
            .current()
            .map_or(policy.default, |snapshot| snapshot.value(policy, scope));
        // Bounds of these policies are far inside.
        u32::try_from(value).unwrap_or(u32::MAX)
    }
}

/// Reads policies and connects to Redis, for a while at most, so that the first requests are
/// counted as all others are.
pub(crate) async fn prepare(app: &App) {
    let (_, redis) = futures::join!(
        tokio::time::timeout(FIRST_LOOK, refresh::first(app)),
        tokio::time::timeout(FIRST_LOOK, app.limits.limiter.connect()),
    );
    if app.policies.current().is_none() {
        tracing::warn!("rate limits begin with their defaults: the database does not answer");
    }
    if !matches!(redis, Ok(Ok(()))) {
        tracing::warn!("rate limits begin with this process alone: Redis does not answer");
    }
}
