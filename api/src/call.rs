//! One request on its way: who calls which endpoint with which body. The pipeline makes it;
//! handlers take [`Reader`] or [`crate::mutation::Mutation`] and cannot get at rows without.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use db::{PgConnection, Postgres, Transaction};
use domain::id::{BrowserSessionId, UserId};

use crate::app::App;
use crate::authentication::Principal;
use crate::edge::RequestId;
use crate::endpoint::{Authentication, Endpoint};
use crate::policy::PolicyClient;
use crate::problem::{Code, Problem};

/// What the pipeline knows about a request once it let it in.
#[derive(Clone)]
pub(crate) struct Call(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) app: App,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) principal: Option<Principal>,
    /// The session that an [`Authentication::Session`] route is shown, and whose it is.
    pub(crate) session: Option<(BrowserSessionId, UserId)>,
    /// What policy says, the same until the request ends; `None` where nothing is decided.
    pub(crate) policy: Option<Arc<dyn PolicyClient>>,
    pub(crate) request_id: RequestId,
    pub(crate) body: Bytes,
    pub(crate) path: String,
}

impl std::ops::Deref for Call {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Call {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// What the request goes by.
    pub(crate) fn policy(&self) -> Result<Arc<dyn PolicyClient>, Problem> {
        self.policy
            .clone()
            .ok_or_else(|| Problem::new(Code::Internal))
    }

    /// A transaction that sees what the caller may see: his organization's rows, every row for a
    /// platform operator on an operator's route, none for anybody else.
    pub(crate) async fn transaction(&self) -> Result<Transaction<'static, Postgres>, Problem> {
        let pool = &self.app.pool;
        match (self.endpoint.guard.authentication, &self.principal) {
            (
                Authentication::PlatformOperator
                | Authentication::PlatformFinance
                | Authentication::InternalToken
                | Authentication::PaymentProvider,
                _,
            ) => Ok(db::scope::platform(pool).await?),
            (Authentication::PrincipalOrOperator, Some(principal)) if principal.is_operator() => {
                Ok(db::scope::platform(pool).await?)
            }
            (_, Some(principal)) => Ok(db::scope::organization(pool, principal.org_id).await?),
            (_, None) => Ok(pool.begin().await.map_err(db::Error::from)?),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Absent only outside the registry, where no handler of ours lives.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::new(Code::Internal))
    }
}

/// A look at the rows that the caller may see, in one snapshot of rights. What it reads is not
/// changed: the transaction is never committed.
pub struct Reader {
    call: Call,
    tx: Transaction<'static, Postgres>,
}

impl Reader {
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    pub fn app(&self) -> &App {
        &self.call.app
    }

    /// Ends the look: what comes next may wait for others.
    pub fn close(self) -> App {
        self.call.app.clone()
    }
}

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let call = Call::from_request_parts(parts, state).await?;
        let tx = call.transaction().await?;
        Ok(Self { call, tx })
    }
}

/// The caller; for endpoints that require one.
impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let call = Call::from_request_parts(parts, state).await?;
        call.principal
            .clone()
            .ok_or_else(|| Problem::new(Code::CredentialsRequired))
    }
}
