//! `/auth`: people log in and out with a browser, at the configured OpenID provider.

mod callback;
mod login;
mod logout;

use std::sync::Arc;

use platform::oidc::{Issuer, LoginError, Relying};

use crate::app::App;
use crate::authentication::Refusal;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::problem::{Code, Problem};

pub(crate) fn endpoints() -> [Endpoint; 3] {
    [login::endpoint(), callback::endpoint(), logout::endpoint()]
}

/// Strangers, who may look and become somebody.
const OPEN: Guard = Guard {
    authentication: Authentication::Public,
    rate: RateClass::Credential,
    idempotency: Idempotency::None,
    action: None,
};

/// The provider, and ourselves as its client.
fn provider(app: &App) -> Result<(&Issuer, &Relying), Problem> {
    let detail = "nobody logs in here with a browser: OIDC_CLIENT_SECRET is not set";
    let absent = || Problem::new(Code::NotSupported).detail(detail);
    let issuer = app.issuer.as_ref().ok_or_else(absent)?;
    let relying = app.relying.as_ref().ok_or_else(absent)?;
    Ok((issuer, relying))
}

fn refused(error: LoginError) -> Problem {
    let detail = error.to_string();
    match error {
        LoginError::Unavailable(source) => {
            let source: Arc<dyn std::error::Error + Send + Sync> =
                Arc::from(source.into_boxed_dyn_error());
            tracing::warn!(
                error = &*source as &dyn std::error::Error,
                "nobody can log in"
            );
            Problem::new(Code::Unavailable)
                .detail(detail)
                .retry_after_seconds(1)
        }
        LoginError::Token(reject) => Refusal::AccessToken(reject).into(),
        LoginError::Code | LoginError::Issuer | LoginError::Nonce => {
            Problem::from(Refusal::Login).detail(detail)
        }
    }
}
