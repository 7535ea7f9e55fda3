//! What every request passes before its handler, in this order: authentication with the limits
//! around it, preparation (where an endpoint has any), idempotency, policy; and after it: the
//! audit of what was refused or failed. The request id
//! and the metrics are further out, in [`crate::edge`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use db::audit::Outcome;
use domain::id::{BrowserSessionId, UserId};
use futures::StreamExt;
use serde_json::json;

use crate::app::App;
use crate::authentication::{self, Principal, cookie};
use crate::authorization::{self, Needs, On};
use crate::call::{Call, Inner};
use crate::edge::RequestId;
use crate::endpoint::{Authentication, Endpoint};
use crate::idempotency::{self, Begun};
use crate::limit::{Passage, Subject};
use crate::mutation::{Mutation, Slot, audit};
use crate::problem::{Code, Problem};

/// The largest body (HRD-03).
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// How much of a larger one is still read.
const MAX_DISCARDED_BYTES: usize = 8 << 20;
/// How long a body may take to arrive.
const BODY_LIMIT: Duration = Duration::from_secs(10);
/// How long a handler may take; the longest long poll fits in.
const HANDLER_LIMIT: Duration = Duration::from_secs(40);

/// One endpoint's place in the router.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) app: App,
    pub(crate) endpoint: Arc<Endpoint>,
}

pub(crate) async fn run(State(stage): State<Stage>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut passage =
        stage
            .app
            .limits
            .passage(stage.endpoint.guard.rate, &parts.headers, &parts.extensions);
    let admitted = admit(&stage, &mut passage, &parts, body).await;
    let limits = passage.fields();
    let mut answer = match admitted {
        Ok(call) => go(&call, Request::from_parts(parts, Body::empty()), next).await,
        Err(problem) => problem.into_response(),
    };
    answer.extensions_mut().insert(limits);
    answer
}

/// What comes after a call was let in.
async fn go(call: &Call, mut request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let headers = request.headers().clone();
    let decided = async {
        if let Some(prepare) = call.endpoint.prepare {
            request.extensions_mut().extend(prepare(call).await?);
        }
        decide(call, &headers, &query).await
    };
    let answer = match decided.await {
        Ok(Decision::Go(mutation)) => perform(call, mutation, request, next).await,
        Ok(Decision::Replay(answer)) => answer,
        Err(problem) => problem.into_response(),
    };
    let (status, code) = (
        answer.status(),
        answer.extensions().get::<Problem>().map(Problem::code),
    );
    if call.endpoint.guard.action.is_some()
        && (status.is_client_error() || status.is_server_error())
    {
        record_refusal(call, status, code).await;
    }
    answer
}

/// Lets the caller and his body in, or says why not.
async fn admit(
    stage: &Stage,
    passage: &mut Passage<'_>,
    parts: &Parts,
    body: Body,
) -> Result<Call, Problem> {
    let Stage { app, endpoint } = stage;
    let span = tracing::Span::current();
    let class: &'static str = endpoint.guard.rate.into();
    span.record("rate_class", class);
    let (principal, session) = match endpoint.guard.authentication {
        Authentication::Session => (None, Some(shown(app, passage, parts).await?)),
        _ => (authenticate(app, endpoint, passage, parts).await?, None),
    };
    // Once, here: whatever the request asks of policy until its end, it asks of this version.
    let policy = match endpoint.ask.needs {
        Needs::Nothing => None,
        _ => Some(app.policies.pin(&endpoint.ask.name, Instant::now())?),
    };
    if let Some(principal) = &principal {
        span.record("principal", tracing::field::display(principal.credential));
    }
    let body = match parts.method {
        Method::POST | Method::PUT | Method::PATCH => receive(&parts.headers, body).await?,
        _ => Bytes::new(),
    };
    if endpoint.guard.authentication == Authentication::PaymentProvider {
        let secrets = &*app.settings.payments_webhook_secrets;
        authentication::webhook::verify(secrets, &parts.headers, &body)?;
    }
    let request_id = parts
        .extensions
        .get::<RequestId>()
        .cloned()
        .ok_or_else(|| Problem::new(Code::Internal))?;
    Ok(Call::new(Inner {
        app: app.clone(),
        endpoint: Arc::clone(endpoint),
        principal,
        session,
        policy,
        request_id,
        body,
        path: parts.uri.path().to_owned(),
    }))
}

async fn authenticate(
    app: &App,
    endpoint: &Endpoint,
    passage: &mut Passage<'_>,
    request: &Parts,
) -> Result<Option<Principal>, Problem> {
    match endpoint.guard.authentication {
        Authentication::Public | Authentication::Session => {
            passage.as_strangers().await.map(|()| None)
        }
        Authentication::Principal
        | Authentication::Person
        | Authentication::PrincipalOrOperator
        | Authentication::PlatformFinance
        | Authentication::PlatformOperator => {
            let principal = somebody(app, passage, request).await?;
            Ok(Some(principal))
        }
        Authentication::PaymentProvider => {
            if app.settings.payments_webhook_secrets.is_empty() {
                return Err(Problem::new(Code::NotFound));
            }
            passage.as_strangers().await.map(|()| None)
        }
        Authentication::InternalToken => match &*app.settings.internal_jwks_refresh_tokens {
            [] => Err(Problem::new(Code::NotFound)),
            tokens => {
                passage.as_strangers().await?;
                authentication::internal(tokens, &request.headers).map(|()| None)
            }
        },
    }
}

/// The session that is to end. Whatever becomes of it, the browser forgets it.
async fn shown(
    app: &App,
    passage: &mut Passage<'_>,
    request: &Parts,
) -> Result<(BrowserSessionId, UserId), Problem> {
    passage.as_strangers().await?;
    match authentication::session::shown(app, request).await {
        Ok(found) => Ok((found.id, found.known.user_id)),
        Err(problem) if problem.code() == Code::InvalidCredentials => {
            Err(problem.header(header::SET_COOKIE, cookie::forget(cookie::SESSION)))
        }
        Err(problem) => Err(problem),
    }
}

/// The caller, counted before the first query: as himself if his credential was seen a moment ago,
/// as a stranger until it is known whose it is.
async fn somebody(
    app: &App,
    passage: &mut Passage<'_>,
    request: &Parts,
) -> Result<Principal, Problem> {
    let headers = &request.headers;
    let credential = authentication::fingerprint(headers);
    let seen = passage.proven(credential);
    match seen {
        Some(subject) => passage.as_somebodys(subject).await?,
        None if authentication::refused_at_sight(headers) => {}
        None => passage.as_strangers().await?,
    }
    let principal = authentication::principal(app, request, passage.client())
        .await
        .inspect_err(|_| passage.disprove(credential))?;
    let subject = Subject::from(&principal);
    if seen != Some(subject) {
        passage.prove(credential, subject);
        passage.as_somebodys(subject).await?;
    }
    Ok(principal)
}

async fn receive(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let body = tokio::time::timeout(BODY_LIMIT, collect(body))
        .await
        .map_err(|_| Problem::new(Code::BodyTimeout))??;
    if !body.is_empty() && !is_json(headers) {
        return Err(Problem::new(Code::UnsupportedMediaType));
    }
    Ok(body)
}

/// Reads a body into memory. What is too much is read on and thrown away, up to a point: a client
/// that still writes when the connection ends never sees the answer.
async fn collect(body: Body) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let (mut collected, mut received) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Code::MalformedRequest))?;
        received += chunk.len();
        if received <= MAX_BODY_BYTES {
            collected.extend_from_slice(&chunk);
        } else if received > MAX_DISCARDED_BYTES {
            break;
        }
    }
    if received > MAX_BODY_BYTES {
        return Err(Problem::new(Code::BodyTooLarge).detail("at most 1 MiB"));
    }
    Ok(collected.into())
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| {
            let essence = text.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        })
}

enum Decision {
    Go(Option<Mutation>),
    Replay(Response),
}

/// Idempotency, then policy.
async fn decide(call: &Call, headers: &HeaderMap, query: &str) -> Result<Decision, Problem> {
    let guard = &call.endpoint.guard;
    if guard.authentication == Authentication::PlatformOperator {
        authorization::operator(call.principal.as_ref())?;
    }
    if guard.authentication == Authentication::PlatformFinance {
        authorization::finance(call.principal.as_ref())?;
    }
    if let Some(principal) = &call.principal {
        authorization::scope::within(principal, guard)?;
    }
    if guard.authentication == Authentication::Person {
        authentication::person(&call.app, call.principal.as_ref())?;
    }
    let ask = &call.endpoint.ask;
    if guard.action.is_none() {
        // What is shown is the caller's own or, to an operator, everybody's: what belongs to
        // somebody else is not found, whoever asks.
        if let Some(policy) = &call.policy {
            let principal = call.principal.as_ref();
            authorization::authorize(&**policy, principal, ask, On::Organization)?;
        }
        return Ok(Decision::Go(None));
    }
    let mutation = match idempotency::begin(call, headers, query).await? {
        Begun::Fresh(mutation) => mutation,
        Begun::Replay(answer) => return Ok(Decision::Replay(answer)),
    };
    if let (Some(principal), Some(policy)) = (&call.principal, &call.policy) {
        authorization::may_ever(&**policy, principal, ask)?;
    }
    Ok(Decision::Go(Some(mutation)))
}

async fn perform(
    call: &Call,
    mutation: Option<Mutation>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(mutation) = mutation {
        request.extensions_mut().insert(Slot::new(mutation));
    }
    request.extensions_mut().insert(call.clone());
    tokio::time::timeout(HANDLER_LIMIT, next.run(request))
        .await
        .unwrap_or_else(|_| Problem::new(Code::Timeout).into_response())
}

/// Audits an attempt that changed nothing, in a transaction of its own: the attempt's was rolled
/// back. Callers whom nobody knows are counted by `auth_failures_total` and never get here, so
/// that a stranger cannot make the database write.
async fn record_refusal(call: &Call, status: StatusCode, code: Option<Code>) {
    let outcome = match code {
        Some(Code::Forbidden) => Outcome::Denied,
        _ => Outcome::Failed,
    };
    let reason = code.map(Code::as_str);
    let detail = json!({ "path": call.path, "status": status.as_u16() });
    let written: Result<(), Problem> = async {
        let mut tx = call.transaction().await?;
        audit(call, &mut tx, outcome, reason, None, &detail).await?;
        Ok(tx.commit().await.map_err(db::Error::from)?)
    }
    .await;
    if let Err(problem) = written {
        tracing::warn!(%problem, "refusal not audited");
    }
}
