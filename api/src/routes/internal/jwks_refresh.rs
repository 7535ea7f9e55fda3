//! `POST /internal/auth/jwks/refresh`: the lever for the day on which a signing key of the
//! identity provider is in wrong hands (JWT-06).

use db::bearer::Kind;
use domain::id::ReplicaId;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::app::App;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::replica::{self, Answer};
use crate::resource::Resource;

/// Orders in a minute, over all replicas.
const MAX_PER_MINUTE: i64 = 6;
const MAX_NAMES: usize = 100;
const MAX_NAME_BYTES: usize = 512;
/// A bound further ahead would lock everybody out by mistake.
const MAX_AHEAD: Duration = Duration::minutes(5);

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::InternalToken,
            rate: RateClass::Internal,
            idempotency: Idempotency::None,
            action: Some(&action::JWKS_REFRESH),
        },
    )
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RefreshJwks)]
struct Request {
    /// The configured issuer, which is also meant when this is missing.
    issuer: Option<String>,
    /// Signing keys that open nothing any more, whatever the provider publishes.
    #[serde(default)]
    #[schema(max_items = 100)]
    revoke_kids: Vec<String>,
    /// Single tokens (`jti`), likewise.
    #[serde(default)]
    #[schema(max_items = 100)]
    revoke_jtis: Vec<String>,
    /// Sessions at the provider (`sid`), likewise.
    #[serde(default)]
    #[schema(max_items = 100)]
    revoke_sids: Vec<String>,
    /// Tokens that were issued before are void; moves ahead only.
    #[serde(default, with = "time::serde::rfc3339::option")]
    not_before: Option<OffsetDateTime>,
    /// Forget the known keys first: while the provider does not answer, no token is taken.
    #[serde(default)]
    purge: bool,
}

/// What each replica did.
#[derive(Debug, Serialize, ToSchema)]
struct JwksRefresh {
    id: i64,
    /// Every replica that is there has carried it out, and got the keys.
    complete: bool,
    pods: Vec<Pod>,
}

/// One process that serves the API.
#[derive(Debug, Serialize, ToSchema)]
struct Pod {
    #[schema(value_type = String)]
    id: ReplicaId,
    /// It has the provider's keys of now.
    ok: bool,
    /// It said so in time. One that did not carries the order out when it looks next.
    acknowledged: bool,
    ms: Option<i32>,
    kids_added: Vec<String>,
    kids_removed: Vec<String>,
}

impl From<Answer> for Pod {
    fn from((id, ack): Answer) -> Self {
        match ack {
            Some(ack) => Self {
                id,
                ok: ack.ok,
                acknowledged: true,
                ms: Some(ack.elapsed_millis),
                kids_added: ack.kids_added,
                kids_removed: ack.kids_removed,
            },
            None => Self {
                id,
                ok: false,
                acknowledged: false,
                ms: None,
                kids_added: Vec::new(),
                kids_removed: Vec::new(),
            },
        }
    }
}

impl JwksRefresh {
    fn of(id: i64, answers: Vec<Answer>) -> Self {
        let pods: Vec<Pod> = answers.into_iter().map(Pod::from).collect();
        Self {
            id,
            complete: pods.iter().all(|pod| pod.ok),
            pods,
        }
    }
}

impl Resource for JwksRefresh {
    const KIND: &'static str = "jwks";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        "/internal/auth/jwks/refresh".to_owned()
    }
}

/// Fetch the identity provider's keys on every replica, and revoke
///
/// What is revoked holds from the moment of the answer, on every replica. Replicas that did not
/// say in time that they fetched the keys are listed as not acknowledged.
#[utoipa::path(post, path = "/internal/auth/jwks/refresh", request_body = Request,
    responses((status = 200, description = "What each replica did", body = JwksRefresh)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<JwksRefresh>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let app = mutation.app();
    let issuer = check(&app, &request)?;
    if db::jwks_refresh::take_turn(mutation.conn()).await? >= MAX_PER_MINUTE {
        return Err(Problem::new(Code::RateLimited)
            .detail("at most 6 refreshes a minute")
            .retry_after_seconds(10));
    }
    if let Some(issuer) = issuer {
        revoke(mutation.conn(), &issuer, &request).await?;
        if let Some(bound) = request.not_before {
            let now = db::clock::now(mutation.conn()).await?;
            if bound > now + MAX_AHEAD {
                return Err(Problem::invalid("/not_before", "lies ahead"));
            }
            db::bearer::set_not_before(mutation.conn(), &issuer, bound).await?;
        }
    }
    mutation.note(serde_json::json!({
        "revoke_kids": request.revoke_kids,
        "revoke_jtis": request.revoke_jtis.len(),
        "revoke_sids": request.revoke_sids.len(),
        "not_before": request.not_before.map(OffsetDateTime::unix_timestamp),
        "purge": request.purge,
    }));
    let request_id = mutation.request_id().to_owned();
    let order = db::jwks_refresh::insert(mutation.conn(), request.purge, &request_id).await?;
    let committed = mutation.updated(JwksRefresh::of(order, Vec::new())).await?;
    let answers = replica::spread(&app, order).await?;
    Ok(committed.told(&JwksRefresh::of(order, answers)))
}

/// The issuer that is meant; `None` where none is configured and none is needed.
fn check(app: &App, request: &Request) -> Result<Option<String>, Problem> {
    let configured = app
        .issuer
        .as_ref()
        .map(|issuer| issuer.rules().issuer.clone());
    if request.issuer.is_some() && request.issuer != configured {
        return Err(Problem::invalid(
            "/issuer",
            "not the issuer that is configured",
        ));
    }
    let lists = [
        ("/revoke_kids", &request.revoke_kids),
        ("/revoke_jtis", &request.revoke_jtis),
        ("/revoke_sids", &request.revoke_sids),
    ];
    for (pointer, names) in lists {
        let sound = |name: &String| {
            (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
        };
        if names.len() > MAX_NAMES || !names.iter().all(sound) {
            return Err(Problem::invalid(
                pointer,
                "at most 100 names of 1 to 512 bytes",
            ));
        }
    }
    let revokes = request.not_before.is_some() || lists.iter().any(|(_, names)| !names.is_empty());
    if revokes && configured.is_none() {
        return Err(Problem::invalid("/issuer", "no issuer is configured"));
    }
    Ok(configured)
}

async fn revoke(conn: &mut db::PgConnection, issuer: &str, request: &Request) -> db::Result<()> {
    let lists = [
        (Kind::Kid, &request.revoke_kids),
        (Kind::Jti, &request.revoke_jtis),
        (Kind::Sid, &request.revoke_sids),
    ];
    for (kind, names) in lists {
        db::bearer::deny(conn, issuer, kind, names).await?;
    }
    Ok(())
}
