//! What every endpoint must say about itself. The router, the guards around each handler and the
//! OpenAPI document are all built from this, so that none of them can be forgotten.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{Extensions, Method};
use axum::routing::MethodRouter;
use futures::future::BoxFuture;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{HttpMethod, RefOr, Schema};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::app::App;
use crate::authorization::{Action, Ask, Needs};
use crate::call::Call;
use crate::idempotency::Replay;
use crate::problem::Problem;
use crate::resource::Recall;

/// Who may call at all. What he may do then is decided by the rules, about what the endpoint
/// [asks](Endpoint::ask).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Anybody, without credentials.
    Public,
    /// Whoever belongs to an organization; sees that organization.
    Principal,
    /// The same, and no API key where people can come in another way.
    Person,
    /// Whoever shows a browser's session, to end it: one that opens nothing any more will do.
    Session,
    /// As [`Self::Principal`], except that a platform operator sees every organization and the platform itself.
    PrincipalOrOperator,
    /// The people who run the installation; see every organization.
    PlatformOperator,
    /// The people of finance, and those who run the installation; see every organization's money.
    PlatformFinance,
    /// The holder of the internal token; answers 404 while none is set.
    InternalToken,
    /// The payment provider, by the signature of what it sends; answers 404 while no secret is set.
    PaymentProvider,
}

/// Which budget of requests a call is counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum RateClass {
    /// Probes, metrics, documents.
    Platform,
    Read,
    Write,
    /// Starts work that costs GPU time.
    Provision,
    /// Makes, rotates or revokes credentials.
    Credential,
    /// Tickets and sessions.
    Terminal,
    /// Dials a node.
    Probe,
    Admin,
    Internal,
}

/// Whether a call must carry an `Idempotency-Key`, and how its answer is given again.
#[derive(Clone, Copy)]
pub enum Idempotency {
    /// Repeating the request is harmless by its own nature, or it changes nothing.
    None,
    /// The answer is rendered again from the resource that the first call made.
    Replayed(Replay),
    /// The answer held a secret: a repetition is told how to get a new one (`{id}`: the resource).
    ShownOnce(&'static str),
}

impl Idempotency {
    /// Required, and `R` is what the call makes.
    pub fn of<R: Recall + 'static>() -> Self {
        Self::Replayed(|app, conn, id| Box::pin(crate::idempotency::replay::<R>(app, conn, id)))
    }

    pub fn is_required(&self) -> bool {
        !matches!(self, Self::None)
    }
}

impl std::fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Replayed(_) => "Replayed",
            Self::ShownOnce(_) => "ShownOnce",
        })
    }
}

/// Asks others for what a change needs, before its transaction is opened: a transaction holds only
/// queries. The extensions are the handler's to take.
pub(crate) type Prepare = for<'a> fn(&'a Call) -> BoxFuture<'a, Result<Extensions, Problem>>;

/// What stands between the network and a handler.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    pub authentication: Authentication,
    pub rate: RateClass,
    pub idempotency: Idempotency,
    /// What is audited; `None`: the endpoint changes nothing.
    pub action: Option<&'static Action>,
}

impl Guard {
    /// Shows members of an organization what is theirs.
    pub const READ: Self = Self {
        authentication: Authentication::Principal,
        rate: RateClass::Read,
        idempotency: Idempotency::None,
        action: None,
    };

    /// Shows platform operators whatever there is.
    pub const ADMIN_READ: Self = Self {
        authentication: Authentication::PlatformOperator,
        rate: RateClass::Admin,
        idempotency: Idempotency::None,
        action: None,
    };

    /// Shows finance what concerns money.
    pub const FINANCE_READ: Self = Self {
        authentication: Authentication::PlatformFinance,
        ..Self::ADMIN_READ
    };
}

/// One method of one path.
pub struct Endpoint {
    pub method: Method,
    /// The template as documented, such as `/api/v1/allocations/{id}:extend`.
    pub path: Arc<str>,
    pub guard: Guard,
    /// What is decided about.
    pub ask: Ask,
    pub(crate) operation: Operation,
    pub(crate) http_method: HttpMethod,
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
    pub(crate) handler: MethodRouter<App>,
    pub(crate) prepare: Option<Prepare>,
}

impl Endpoint {
    /// Takes method, path and documentation from the handler's own `#[utoipa::path]`
    /// (`routes!(handler)`, one handler).
    pub fn new((schemas, paths, handler): UtoipaMethodRouter<App>, guard: Guard) -> Self {
        let (path, mut item) = paths.paths.into_iter().next().unwrap_or_default();
        let (http_method, method, operation) = [
            (HttpMethod::Get, Method::GET, item.get.take()),
            (HttpMethod::Post, Method::POST, item.post.take()),
            (HttpMethod::Put, Method::PUT, item.put.take()),
            (HttpMethod::Patch, Method::PATCH, item.patch.take()),
            (HttpMethod::Delete, Method::DELETE, item.delete.take()),
        ]
        .into_iter()
        .find_map(|(http, method, operation)| Some((http, method, operation?)))
        .unwrap_or((HttpMethod::Get, Method::GET, Operation::new()));
        Self {
            ask: ask(&path, &guard),
            method,
            path: path.into(),
            guard,
            operation,
            http_method,
            schemas,
            handler,
            prepare: None,
        }
    }

    /// Runs this once the caller is let in and before anything is opened for him.
    pub(crate) fn preparing(self, prepare: Prepare) -> Self {
        Self {
            prepare: Some(prepare),
            ..self
        }
    }

    /// Whether the endpoint moves to the internal listener where there is one.
    pub fn is_internal(&self) -> bool {
        let path = &*self.path;
        path == "/metrics"
            || path.starts_with("/internal/")
            || path.starts_with("/api/v1/internal/")
    }

    /// Whether the documentation says what the endpoint does.
    pub fn is_documented(&self) -> bool {
        self.operation
            .summary
            .as_deref()
            .is_some_and(|text| !text.is_empty())
            && !self.operation.responses.responses.is_empty()
    }

    /// The path as the router matches it: a final `:verb` is a segment of its own there, because
    /// the router takes parameters as whole segments. See [`crate::router`].
    pub(crate) fn routed_path(&self) -> String {
        match self.path.rsplit_once(':') {
            Some((noun, verb)) => format!("{noun}/{VERB_MARK}{verb}"),
            None => self.path.to_string(),
        }
    }
}

/// What an endpoint asks of the rules: its action, or to look at what its path begins with.
fn ask(path: &str, guard: &Guard) -> Ask {
    let needs = match (guard.authentication, guard.action) {
        (Authentication::Public | Authentication::Session, _) => Needs::Nothing,
        (Authentication::InternalToken | Authentication::PaymentProvider, _) => Needs::Token,
        (_, Some(action)) => action.needs,
        (Authentication::PlatformOperator, None) => Needs::Operator,
        (Authentication::PlatformFinance, None) => Needs::Finance,
        (
            Authentication::Principal
            | Authentication::PrincipalOrOperator
            | Authentication::Person,
            None,
        ) => Needs::Role(domain::role::Role::Viewer),
    };
    let name = match (needs, guard.action) {
        (_, Some(action)) => Cow::Borrowed(action.name),
        (Needs::Nothing, None) => Cow::Borrowed("platform.read"),
        // Operators look at every organization: another right than to look at one's own.
        (Needs::Operator | Needs::Finance | Needs::Token, None) => {
            format!("{}.inspect", kind(path)).into()
        }
        (_, None) => format!("{}.read", kind(path)).into(),
    };
    Ask { name, needs }
}

/// `/api/v1/admin/dead-letters/{id}` shows a `dead_letter`.
fn kind(path: &str) -> String {
    let noun = path
        .split(['/', ':'])
        .find(|part| !["", "api", "v1", "admin", "internal"].contains(part))
        .unwrap_or("platform")
        .replace('-', "_");
    match (noun.strip_suffix("ies"), noun.strip_suffix('s')) {
        (Some(stem), _) => format!("{stem}y"),
        (None, Some(stem)) if noun != "stats" => stem.to_owned(),
        _ => noun,
    }
}

/// Begins the segment that a `:verb` becomes inside the router.
pub(crate) const VERB_MARK: char = '~';

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:?}", self.method, self.path, self.guard)
    }
}
