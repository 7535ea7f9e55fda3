//! `POST /admin/identities`

use domain::id::UserId;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::Identity;
use crate::app::App;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::resource::Resource;

const MAX_ISSUER_CHARS: usize = 512;
const MAX_SUBJECT_BYTES: usize = 255;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::of::<Identity>(),
            action: Some(&action::IDENTITY_LINK),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LinkIdentity)]
struct Request {
    /// The person; this or `email`.
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// The address that the person is known by here.
    email: Option<String>,
    /// The configured issuer when missing.
    #[schema(max_length = 512)]
    issuer: Option<String>,
    /// `sub` in the provider's tokens.
    #[schema(min_length = 1, max_length = 255)]
    subject: String,
}

/// Link a subject of the identity provider to a person
///
/// From then on its tokens act as that person. A subject is one person's; a person may have several.
#[utoipa::path(post, path = "/api/v1/admin/identities", request_body = Request,
    responses((status = 201, description = "The link", body = Identity)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<Identity>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let issuer = issuer(&mutation.app(), request.issuer.as_deref())?;
    let subject = request.subject.as_str();
    if !is_plain(subject, MAX_SUBJECT_BYTES) {
        return Err(Problem::invalid(
            "/subject",
            "1 to 255 bytes without control characters",
        ));
    }
    let by = mutation.principal()?.user_id;
    let conn = mutation.conn();
    let user_id = person(conn, &request).await?;
    let id = db::id::fresh();
    let linked = db::identity::insert(conn, id, user_id, (&issuer, subject), by).await;
    linked.map_err(|error| match error.constraint() {
        Some("external_identities_unique") => {
            Problem::new(Code::Conflict).detail("the subject is linked already")
        }
        _ => error.into(),
    })?;
    let identity = db::identity::get(mutation.conn(), id).await?;
    let identity = identity.ok_or_else(|| Problem::not_found(Identity::KIND))?;
    Ok(mutation.created(Identity::from(identity)).await?)
}

fn issuer(app: &App, given: Option<&str>) -> Result<String, Problem> {
    match (given, &app.issuer) {
        (Some(given), _) if is_plain(given, MAX_ISSUER_CHARS) => Ok(given.to_owned()),
        (Some(_), _) => Err(Problem::invalid("/issuer", "1 to 512 characters")),
        (None, Some(issuer)) => Ok(issuer.rules().issuer.clone()),
        (None, None) => Err(Problem::invalid(
            "/issuer",
            "no issuer is configured: name one",
        )),
    }
}

async fn person(conn: &mut db::PgConnection, request: &Request) -> Result<UserId, Problem> {
    let (pointer, found) = match (request.user_id, request.email.as_deref()) {
        (Some(id), None) => ("/user_id", db::user::get(conn, id).await?),
        (None, Some(email)) => ("/email", db::user::get_by_email(conn, email).await?),
        _ => {
            return Err(Problem::invalid(
                "/user_id",
                "either user_id or email, and not both",
            ));
        }
    };
    found
        .map(|user| user.id)
        .ok_or_else(|| Problem::invalid(pointer, "there is no such person"))
}

fn is_plain(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}
