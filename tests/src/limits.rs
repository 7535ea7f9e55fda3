//! Rate limits of a stack: raised for tests, which call more often than people, and lowered for
//! those that are about them. Both as an operator would.

use std::time::Duration;

use domain::policy::{self, READ_BURST};
use serde_json::json;

use crate::api::{Answer, Api};
use crate::stack::Stack;
use crate::wait::eventually;

/// How long a process may take to see a change.
const LIMIT: Duration = Duration::from_secs(20);

impl Stack {
    /// Raises every limit as far as it goes, and waits until that is in force.
    pub async fn raise_limits(&self) {
        let raised = |p: &&policy::Policy| p.key.starts_with("rate_limit.") && p.min < p.max;
        for policy in policy::all().filter(raised) {
            if !policy.key.ends_with("_factor") {
                self.policy(policy.key, &json!(policy.max)).await;
            }
        }
        let admin = self.admin();
        in_force(&admin, "read-principal", READ_BURST.max).await;
    }

    /// Forgets who called how often, and waits until the operator is let in: a test before may have
    /// used up a limit that it had lowered.
    pub(crate) async fn forget_calls(&self) {
        let redis = redis::Client::open(self.env("REDIS_URL")).expect("a URL");
        let admin = self.admin();
        eventually("the operator is let in", LIMIT, || async {
            let mut redis = redis.get_multiplexed_async_connection().await.ok()?;
            let buckets = redis::cmd("KEYS").arg("berth:rate:*").to_owned();
            let buckets: Vec<String> = buckets.query_async(&mut redis).await.ok()?;
            if !buckets.is_empty() {
                let forget = redis::cmd("DEL").arg(&buckets).to_owned();
                forget.query_async::<()>(&mut redis).await.ok()?;
            }
            let request = admin.request(reqwest::Method::GET, "/api/v1/me");
            let answer = admin.try_send(request).await.ok()?;
            answer.status.is_success().then_some(())
        })
        .await;
    }

    /// Sets the limit of a group of calls in one scope: `platform`, or an organization's id.
    pub async fn limit(&self, group: &str, scope: &str, per_minute: i64, burst: i64) {
        for (unit, value) in [("per_minute", per_minute), ("burst", burst)] {
            let path = format!("/api/v1/admin/policies/rate_limit.{group}_{unit}");
            let body = json!({ "scope": scope, "value": value });
            self.admin().put(&path, &body).await.expect(200);
        }
    }
}

/// Waits until the process at this address counts this caller's reads in buckets of that size.
pub async fn in_force(api: &Api, bucket: &str, burst: i64) {
    eventually(&format!("{bucket} is {burst}"), LIMIT, || async {
        let request = api.request(reqwest::Method::GET, "/api/v1/me");
        let answer = api.try_send(request).await.ok()?;
        (quota(&answer, bucket) == Some(burst)).then_some(())
    })
    .await;
}

/// `q` of a bucket, as an answer tells it.
pub fn quota(answer: &Answer, bucket: &str) -> Option<i64> {
    let wanted = format!("\"{bucket}\"");
    let mut items = answer.header("ratelimit-policy").split(", ");
    let item = items.find(|item| item.split(';').next() == Some(wanted.as_str()))?;
    item.split(';')
        .find_map(|part| part.strip_prefix("q="))?
        .parse()
        .ok()
}
