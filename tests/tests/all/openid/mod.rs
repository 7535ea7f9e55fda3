//! Access tokens of an OpenID provider: the key cache, the people behind tokens, and the lever for
//! the day on which a signing key is lost.

mod bearer;
mod cache;
mod provider;
mod refresh;

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Replica, Stack};

const LIMIT: Duration = Duration::from_secs(30);
const ME: &str = "/api/v1/me";
pub(crate) const IDENTITIES: &str = "/api/v1/admin/identities";
const REFRESH: &str = "/internal/auth/jwks/refresh";

/// A replica that takes tokens of this issuer.
async fn replica(stack: &Stack, issuer: &str) -> Replica {
    let settings = [
        ("OIDC_ISSUER_URL", issuer),
        ("BERTH_OIDC_AUDIENCE", tests::key_server::AUDIENCE),
    ];
    Replica::start(stack, &settings).await
}

/// Links a subject to a person; answers the identity.
pub(crate) async fn link(stack: &Stack, issuer: &str, subject: &str, user_id: &str) -> Value {
    let wish = json!({"user_id": user_id, "issuer": issuer, "subject": subject});
    stack.admin().post(IDENTITIES, &wish).await.expect(201)
}

/// Waits until a token is taken by a replica.
async fn taken(replica: &Replica, token: &str) {
    let api = replica.api(Some(token));
    tests::eventually("the token is taken", LIMIT, || async {
        (api.get(ME).await.status == 200).then_some(())
    })
    .await;
}
