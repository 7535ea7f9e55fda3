//! `POST /admin/dead-letters/{id}:replay`

use domain::id::DeadLetterId;
use utoipa_axum::routes;

use super::DeadLetterView;
use crate::authorization::{On, action};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::of::<DeadLetterView>(),
            action: Some(&action::DEAD_LETTER_REPLAY),
        },
    )
}

/// Send it again
///
/// It goes back to its outbox with all its tries ahead of it; the relay delivers it.
#[utoipa::path(post, path = "/api/v1/admin/dead-letters/{id}:replay",
    params(("id" = String, Path)),
    responses((status = 200, description = "It is sent again", body = DeadLetterView)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<DeadLetterId>,
) -> Result<Committed<DeadLetterView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let by = permitted.principal()?.user_id;
    if let Some(letter) = db::dead_letter::replay(permitted.conn(), id, Some(by)).await? {
        return Ok(permitted.updated(DeadLetterView::from(letter)).await?);
    }
    match db::dead_letter::get(permitted.conn(), id).await? {
        Some(_) => Err(Problem::new(Code::Conflict).detail("it was sent again before")),
        None => Err(Problem::not_found(DeadLetterView::KIND)),
    }
}
