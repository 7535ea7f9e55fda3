//! Once, and only once (IDM-01 to IDM-05): a key names one change of one caller on one route.
//!
//! The first call to get the key's lock makes the change and leaves a record in the same
//! transaction; a twin waits for the lock without holding a connection, finds the record and is
//! answered from the resource that it points at. No answer is stored anywhere.

mod fingerprint;
mod key;

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use db::PgConnection;
use db::idempotency::{Record, Scope};
use futures::future::BoxFuture;

use crate::app::App;
use crate::call::Call;
use crate::endpoint::Idempotency;
use crate::mutation::{Mutation, shown};
use crate::problem::{Code, Problem};
use crate::resource::Recall;

/// How long a twin waits for the call that came first.
const TWIN_WAIT: Duration = Duration::from_secs(2);
/// When it looks: soon at first, then less and less, so that a hundred twins leave the database to
/// the one at work.
const FIRST_LOOK: Duration = Duration::from_millis(25);
const LAST_LOOK: Duration = Duration::from_millis(400);

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Renders the answer again from a record.
pub type Replay = for<'a> fn(
    &'a App,
    &'a mut PgConnection,
    &'a Record,
) -> BoxFuture<'a, Result<Response, Problem>>;

/// A key that this call holds the lock of; becomes a record when the change is committed.
pub(crate) struct Claim {
    scope: Scope,
    fingerprint: [u8; 32],
}

impl Claim {
    pub(crate) async fn record(
        self,
        conn: &mut PgConnection,
        status: StatusCode,
        kind: &str,
        id: &str,
    ) -> db::Result<()> {
        let record = Record {
            fingerprint: self.fingerprint,
            status: i32::from(status.as_u16()),
            resource_kind: kind.to_owned(),
            resource_id: id.to_owned(),
        };
        db::idempotency::insert(conn, &self.scope, &record).await
    }
}

/// How a change starts.
pub(crate) enum Begun {
    /// Nobody did this before.
    Fresh(Mutation),
    /// It was done: the answer, once more.
    Replay(Response),
}

/// Opens the change, or finds that it was made already.
pub(crate) async fn begin(call: &Call, headers: &HeaderMap, query: &str) -> Result<Begun, Problem> {
    if !call.endpoint.guard.idempotency.is_required() {
        return Ok(Begun::Fresh(Mutation::new(
            call.clone(),
            call.transaction().await?,
            None,
        )));
    }
    let key = key::parse(headers)?;
    let fingerprint = fingerprint::of(call, headers, query)?;
    let principal = call
        .principal
        .as_ref()
        .ok_or_else(|| Problem::new(Code::CredentialsRequired))?;
    let scope = Scope {
        org_id: principal.org_id,
        principal: principal.user_id.to_string(),
        method: call.endpoint.method.to_string(),
        route: call.endpoint.path.to_string(),
        key,
    };
    let started = Instant::now();
    let mut pause = FIRST_LOOK;
    loop {
        let mut tx = call.transaction().await?;
        if db::idempotency::try_lock(&mut tx, &scope).await? {
            return match db::idempotency::get(&mut tx, &scope).await? {
                None => {
                    let claim = Claim { scope, fingerprint };
                    Ok(Begun::Fresh(Mutation::new(call.clone(), tx, Some(claim))))
                }
                Some(record) => again(call, &mut tx, &record, fingerprint)
                    .await
                    .map(Begun::Replay),
            };
        }
        // The lock may be another twin's, who reads what we can read too.
        if let Some(record) = db::idempotency::get(&mut tx, &scope).await? {
            return again(call, &mut tx, &record, fingerprint)
                .await
                .map(Begun::Replay);
        }
        // Gives the connection back: a hundred waiting twins must not starve the one at work.
        tx.rollback().await.map_err(db::Error::from)?;
        if started.elapsed() >= TWIN_WAIT {
            count("in_progress");
            return Err(Problem::new(Code::IdempotencyInProgress).retry_after_seconds(1));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_LOOK);
    }
}

/// The answer to a call that was made before.
async fn again(
    call: &Call,
    conn: &mut PgConnection,
    record: &Record,
    fingerprint: [u8; 32],
) -> Result<Response, Problem> {
    if record.fingerprint != fingerprint {
        count("mismatch");
        return Err(Problem::new(Code::IdempotencyKeyReused)
            .detail("the key belongs to a request with another body or query"));
    }
    let replay = match call.endpoint.guard.idempotency {
        Idempotency::Replayed(replay) => replay,
        Idempotency::ShownOnce(how) => {
            count("replayed");
            let how = how.replace("{id}", &record.resource_id);
            return Err(Problem::new(Code::SecretAlreadyDelivered).detail(how));
        }
        Idempotency::None => return Err(Problem::new(Code::Internal)),
    };
    let mut answer = replay(&call.app, conn, record).await?;
    answer
        .headers_mut()
        .insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    count("replayed");
    Ok(answer)
}

/// Shows the resource of a record as it is now.
pub(crate) async fn replay<R: Recall>(
    app: &App,
    conn: &mut PgConnection,
    record: &Record,
) -> Result<Response, Problem> {
    let status = u16::try_from(record.status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or_else(|| Problem::new(Code::Internal))?;
    match R::recall(app, conn, &record.resource_id).await? {
        Some(resource) => Ok(shown(status, &resource)),
        None => Err(Problem::new(Code::Gone).detail("what this key made was deleted since")),
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("api_idempotency_total", "outcome" => outcome).increment(1);
}
