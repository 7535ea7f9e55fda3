//! The token: got, kept alive, and replaced when it is refused.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Answer, Failure, Server};
use crate::kms::KmsError;
use crate::kms::keyring;
use crate::settings::TransitLogin;

/// When nothing is known of a token's life, or it has no end, it is looked at this often.
const LOOK: Duration = Duration::from_mins(1);
/// How soon a login or renewal that failed is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// No renewal comes sooner than this after the last.
const SOONEST: Duration = Duration::from_millis(500);

pub(super) struct Session {
    login: TransitLogin,
    token: RwLock<Option<SecretString>>,
    /// Held while logging in: those who come meanwhile wait for the one that does it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Deserialize)]
pub(super) struct LookedUp {
    ttl: u64,
    #[serde(default)]
    renewable: bool,
}

#[derive(Deserialize)]
struct LoggedIn {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(deserialize_with = "super::wiped")]
    client_token: Zeroizing<String>,
}

#[derive(Serialize)]
struct AppRole<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

#[derive(Deserialize, Default)]
struct Errors {
    #[serde(default)]
    errors: Vec<String>,
}

impl Session {
    pub(super) fn new(login: TransitLogin) -> Self {
        Self {
            login,
            token: RwLock::new(None),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    fn token(&self) -> Option<SecretString> {
        let token = self.token.read().unwrap_or_else(PoisonError::into_inner);
        token.clone()
    }

    fn set(&self, token: &SecretString) {
        let mut known = self.token.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some(token.clone());
    }
}

impl Server {
    /// The token, from a login if there is none yet.
    pub(super) async fn token(&self) -> Result<SecretString, KmsError> {
        match self.session.token() {
            Some(token) => Ok(token),
            None => self.log_in(None).await,
        }
    }

    /// Another token than this one, which was refused; the same, if logging in gives no other.
    pub(super) async fn token_instead_of(
        &self,
        refused: &SecretString,
    ) -> Result<SecretString, KmsError> {
        self.log_in(Some(refused)).await
    }

    async fn log_in(&self, refused: Option<&SecretString>) -> Result<SecretString, KmsError> {
        let _turn = self.session.turn.lock().await;
        let known = self.session.token();
        if let Some(known) = known
            && refused.is_none_or(|refused| refused.expose_secret() != known.expose_secret())
        {
            return Ok(known);
        }
        let token = match &self.session.login {
            TransitLogin::TokenFile(file) => {
                let text = keyring::read(file).map_err(|e| unreadable(&e))?;
                SecretString::from(text.trim())
            }
            TransitLogin::AppRole {
                role_id,
                secret_id_file,
            } => {
                let secret_id = keyring::read(secret_id_file).map_err(|e| unreadable(&e))?;
                let request = AppRole {
                    role_id,
                    secret_id: secret_id.trim(),
                };
                let path = "auth/approle/login";
                let answer: Result<LoggedIn, _> =
                    self.send(Method::POST, path, None, Some(&request)).await;
                match answer {
                    Ok(answer) => SecretString::from(answer.auth.client_token.as_str()),
                    Err(Failure::Away(why)) => return Err(KmsError::Unavailable(why)),
                    Err(Failure::Bad(_) | Failure::Forbidden) => {
                        let why = "it refuses the AppRole's secret id";
                        return Err(KmsError::Unavailable(why.to_owned()));
                    }
                }
            }
        };
        self.session.set(&token);
        Ok(token)
    }

    /// Keeps the token alive: renews it when two thirds of its life are over, and gets another
    /// one where that does not help.
    pub(super) async fn keep(&self) {
        loop {
            let wait = match self.look_after().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, "the key service's token is not good");
                    AGAIN
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// How long the token may be left alone. At the end of its longest life a renewal adds
    /// nothing any more; it then ends, is refused, and a login replaces it.
    async fn look_after(&self) -> Result<Duration, KmsError> {
        let token = self.token().await?;
        let found = match self.look_up(&token).await {
            Ok(found) => found,
            Err(Failure::Forbidden) => {
                let token = self.token_instead_of(&token).await?;
                self.look_up(&token)
                    .await
                    .map_err(|failure| match failure {
                        Failure::Forbidden => {
                            KmsError::Unavailable("its token has expired or was revoked".to_owned())
                        }
                        other => other.into_error(),
                    })?
            }
            Err(other) => return Err(other.into_error()),
        };
        if found.ttl == 0 {
            return Ok(LOOK);
        }
        if found.renewable {
            let token = self.token().await?;
            let renewed: Result<IgnoredAny, _> = self
                .send::<(), _>(Method::POST, "auth/token/renew-self", Some(&token), None)
                .await;
            if let Err(Failure::Away(why)) = renewed {
                return Err(KmsError::Unavailable(why));
            }
            let left = self.look_up(&token).await.map_err(Failure::into_error)?.ttl;
            return Ok(two_thirds(left));
        }
        Ok(two_thirds(found.ttl))
    }

    pub(super) async fn look_up(&self, token: &SecretString) -> Result<LookedUp, Failure> {
        let answer: Answer<LookedUp> = self
            .send::<(), _>(Method::GET, "auth/token/lookup-self", Some(token), None)
            .await?;
        Ok(answer.data)
    }

    pub(super) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        token: &SecretString,
        request: Option<&Q>,
    ) -> Result<A, Failure> {
        self.send(Method::POST, path, Some(token), request).await
    }

    async fn send<Q: Serialize, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&SecretString>,
        request: Option<&Q>,
    ) -> Result<A, Failure> {
        let url = self
            .address
            .join(&format!("/v1/{path}"))
            .map_err(|_| Failure::Away("its address is wrong".to_owned()))?;
        let mut call = self
            .http
            .request(method, url)
            .header("X-Vault-Request", "true");
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose_secret())
                .map_err(|_| Failure::Away("its token is not one".to_owned()))?;
            value.set_sensitive(true);
            call = call.header("X-Vault-Token", value);
        }
        if let Some(namespace) = &self.namespace {
            call = call.header("X-Vault-Namespace", namespace);
        }
        if let Some(request) = request {
            call = call.json(request);
        }
        let answer = call.send().await?;
        let status = answer.status();
        if !status.is_success() {
            let Errors { errors } = answer.json().await.unwrap_or_default();
            return Err(Failure::of(status, &errors));
        }
        Ok(answer.json().await?)
    }
}

fn two_thirds(seconds: u64) -> Duration {
    (Duration::from_secs(seconds) * 2 / 3).max(SOONEST)
}

/// The reason may reach `/readyz`, which anybody reads: which file it is, the log tells.
fn unreadable(error: &keyring::KeyringError) -> KmsError {
    tracing::warn!(%error, "cannot log in at the key service");
    let why = "the file to log in with is not there, or not Berth's alone";
    KmsError::Unavailable(why.to_owned())
}
