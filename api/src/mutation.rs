//! The one way to change something.
//!
//! A handler gets a [`Mutation`]: an open transaction that sees the caller's organization and,
//! where a key is required, holds that key's lock. [`Mutation::authorize`] turns it into a
//! [`Permitted`], which alone can commit; committing writes the change, its idempotency record
//! and its audit entry together, and alone makes a [`Committed`], which is what the handler must
//! return. Whatever else happens, the transaction is rolled back and the answer is an error.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use db::audit::{Actor, Entry, Outcome};
use db::{PgConnection, Postgres, Transaction};
use domain::id::BrowserSessionId;
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::authentication::{Credential, Principal};
use crate::authorization::{self, Denied, On};
use crate::call::Call;
use crate::idempotency::Claim;
use crate::policy::PolicyClient;
use crate::problem::{Code, Problem};
use crate::resource::{Resource, tagged};

/// A change that was not decided about yet.
pub struct Mutation(Open);

/// A change that the caller may make.
pub struct Permitted(Open);

struct Open {
    call: Call,
    tx: Transaction<'static, Postgres>,
    claim: Option<Claim>,
    detail: Value,
}

/// The answer to a change that holds; made by committing only.
#[derive(Debug)]
pub struct Committed<R>(Response, PhantomData<fn() -> R>);

impl Mutation {
    pub(crate) fn new(
        call: Call,
        tx: Transaction<'static, Postgres>,
        claim: Option<Claim>,
    ) -> Self {
        Self(Open {
            call,
            tx,
            claim,
            detail: json!({}),
        })
    }

    /// For reading and locking what the decision depends on.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.0.tx
    }

    pub fn principal(&self) -> Result<&Principal, Problem> {
        self.0
            .call
            .principal
            .as_ref()
            .ok_or_else(|| Problem::new(Code::CredentialsRequired))
    }

    /// Decides whether the caller may do this endpoint's action on that.
    pub fn authorize(self, on: On) -> Result<Permitted, Denied> {
        let call = &self.0.call;
        // Where nothing is decided, nobody is asked who he is: there are no such changes.
        if let Some(policy) = &call.policy {
            authorization::authorize(&**policy, call.principal.as_ref(), &call.endpoint.ask, on)?;
        }
        Ok(Permitted(self.0))
    }
}

impl Permitted {
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.0.tx
    }

    pub fn app(&self) -> App {
        self.0.call.app.clone()
    }

    /// What the audit entry says beside its columns: ids and numbers, never a secret.
    pub fn note(&mut self, detail: Value) {
        self.0.detail = detail;
    }

    /// The session that the request is to end.
    pub(crate) fn session(&self) -> Result<BrowserSessionId, Problem> {
        let session = self.0.call.session.map(|(id, _)| id);
        session.ok_or_else(|| Problem::new(Code::CredentialsRequired))
    }

    pub fn request_id(&self) -> &str {
        self.0.call.request_id.as_str()
    }

    /// What policy says, for this request.
    pub fn policy(&self) -> Result<Arc<dyn PolicyClient>, Problem> {
        self.0.call.policy()
    }

    pub fn principal(&self) -> Result<&Principal, Problem> {
        self.0
            .call
            .principal
            .as_ref()
            .ok_or_else(|| Problem::new(Code::CredentialsRequired))
    }

    /// 201 with the new resource and its address.
    pub async fn created<R: Resource>(self, resource: R) -> db::Result<Committed<R>> {
        self.finish(StatusCode::CREATED, resource).await
    }

    /// 200 with the resource as it is now.
    pub async fn updated<R: Resource>(self, resource: R) -> db::Result<Committed<R>> {
        self.finish(StatusCode::OK, resource).await
    }

    /// 202 with the operation that carries the change out. The audit entry names what it is about.
    pub async fn accepted<R: Resource>(self, operation: R) -> db::Result<Committed<R>> {
        self.finish(StatusCode::ACCEPTED, operation).await
    }

    /// 204: the resource is gone.
    pub async fn deleted<R: Resource>(self, id: impl ToString) -> db::Result<Committed<R>> {
        self.done(R::KIND, &id.to_string()).await
    }

    /// 204: something that is not a resource has ended.
    pub(crate) async fn done<T>(self, kind: &str, id: &str) -> db::Result<Committed<T>> {
        self.commit(StatusCode::NO_CONTENT, kind, id).await?;
        Ok(Committed(
            StatusCode::NO_CONTENT.into_response(),
            PhantomData,
        ))
    }

    /// 200 with something that is not a resource; the audit entry names what it was told of.
    pub(crate) async fn told<T: Serialize>(
        self,
        kind: &str,
        id: &str,
        body: &T,
    ) -> db::Result<Committed<T>> {
        self.commit(StatusCode::OK, kind, id).await?;
        Ok(Committed(Json(body).into_response(), PhantomData))
    }

    async fn finish<R: Resource>(
        self,
        status: StatusCode,
        resource: R,
    ) -> db::Result<Committed<R>> {
        let id = resource.id();
        self.commit(status, R::KIND, &id).await?;
        Ok(Committed(shown(status, &resource), PhantomData))
    }

    /// Everything that must stand or fall together, then the commit.
    async fn commit(self, status: StatusCode, kind: &str, id: &str) -> db::Result<()> {
        let Open {
            call,
            mut tx,
            claim,
            detail,
        } = self.0;
        if let Some(claim) = claim {
            claim.record(&mut tx, status, kind, id).await?;
            metrics::counter!("api_idempotency_total", "outcome" => "created").increment(1);
        }
        let subject = Some((kind, id));
        audit(&call, &mut tx, Outcome::Allowed, None, subject, &detail).await?;
        tx.commit().await.map_err(db::Error::from)
    }
}

impl<R: Resource> Committed<R> {
    /// The same answer with what became of the change since.
    #[must_use]
    pub fn told(self, resource: &R) -> Self {
        Self(shown(self.0.status(), resource), PhantomData)
    }
}

/// Writes the audit entry of a call; a call whose endpoint changes nothing has none.
pub(crate) async fn audit(
    call: &Call,
    conn: &mut PgConnection,
    outcome: Outcome,
    reason: Option<&str>,
    subject: Option<(&str, &str)>,
    detail: &Value,
) -> db::Result<()> {
    let Some(action) = call.endpoint.guard.action else {
        return Ok(());
    };
    let principal = call.principal.as_ref().map(|p| p.user_id);
    let user_id = principal.or(call.session.map(|(_, user_id)| user_id));
    let person = || ("user", user_id.map(|id| id.to_string()).unwrap_or_default());
    let (kind, id) = match call.principal.as_ref().map(|p| p.credential) {
        Some(Credential::ApiKey(id)) => ("api_key", id.to_string()),
        Some(Credential::Identity(_) | Credential::Session(_)) => person(),
        None if call.session.is_some() => person(),
        None => ("system", "internal".to_owned()),
    };
    let entry = Entry {
        org_id: call.principal.as_ref().map(|p| p.org_id),
        actor: Actor {
            kind,
            id: &id,
            user_id,
        },
        action: action.name,
        resource_kind: subject.map_or(action.resource_kind(), |(kind, _)| kind),
        resource_id: subject.map(|(_, id)| id),
        outcome,
        reason,
        request_id: Some(call.request_id.as_str()),
        detail,
    };
    db::audit::append(conn, entry).await.map(drop)
}

/// A resource as the answer to a change; also what a replay renders.
pub(crate) fn shown<R: Resource>(status: StatusCode, resource: &R) -> Response {
    let mut response = tagged(resource);
    *response.status_mut() = status;
    let points = matches!(status, StatusCode::CREATED | StatusCode::ACCEPTED);
    if points && let Ok(url) = HeaderValue::try_from(resource.url()) {
        response.headers_mut().insert(header::LOCATION, url);
    }
    response
}

impl<R> IntoResponse for Committed<R> {
    fn into_response(self) -> Response {
        self.0
    }
}

/// Where the pipeline leaves the mutation for the handler to take, once.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Mutex<Option<Mutation>>>);

impl Slot {
    pub(crate) fn new(mutation: Mutation) -> Self {
        Self(Arc::new(Mutex::new(Some(mutation))))
    }
}

impl<S: Sync> FromRequestParts<S> for Mutation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Absent for endpoints without an action: they cannot change anything.
        parts
            .extensions
            .get::<Slot>()
            .and_then(|slot| slot.0.lock().ok()?.take())
            .ok_or_else(|| Problem::new(Code::Internal))
    }
}
