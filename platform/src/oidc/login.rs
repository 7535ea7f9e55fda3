//! Logging in at the provider: where a browser is sent, and what the code is worth that it brings
//! back (OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9207). Only the ID token is looked at,
//! and no token is kept.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::browser_session::Login;
use domain::jwt::{Reject, Rules, TokenType};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::fetch::{self, Discovery};
use super::{Issuer, Signed};
use crate::dial::web::{Web, WebError};
use crate::settings::BrowserClient;

/// Where the provider sends browsers back to, on our side.
const CALLBACK: &str = "/auth/callback";
/// How long what the provider says of itself is believed.
const DISCOVERY_LIFETIME: Duration = Duration::from_mins(5);
const FAILURE_LIFETIME: Duration = Duration::from_secs(2);

/// Berth as a client of the provider.
pub struct Relying {
    web: Web,
    /// What its ID tokens must be.
    rules: Rules,
    client_secret: SecretString,
    redirect: Url,
    known: Mutex<Option<Known>>,
}

/// What was learnt last, and when; `None`: nothing, it could not be asked.
struct Known {
    at: Instant,
    discovery: Option<Arc<Discovery>>,
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// It could not be asked, or its answer was none.
    #[error("the identity provider cannot be asked")]
    Unavailable(#[source] anyhow::Error),
    /// It does not give anything for this code.
    #[error("the identity provider refuses the code")]
    Code,
    /// The answer came from another provider.
    #[error("the answer is not this provider's")]
    Issuer,
    /// The ID token is for another login.
    #[error("the ID token is for another login")]
    Nonce,
    #[error(transparent)]
    Token(#[from] Reject),
}

/// What comes with an access token that nobody looks at.
#[derive(Debug, Serialize, Deserialize)]
struct IdToken {
    id_token: String,
}

impl ExtraTokenFields for IdToken {}

impl<'c> AsyncHttpClient<'c> for Web {
    type Error = WebError;
    type Future = BoxFuture<'c, Result<HttpResponse, WebError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.send(request).boxed()
    }
}

type Client = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl Relying {
    /// `access`: the rules of the provider's access tokens.
    pub fn new(access: &Rules, client: &BrowserClient) -> anyhow::Result<Self> {
        let home: Url = access.issuer.parse().context("OIDC_ISSUER_URL")?;
        Ok(Self {
            web: Web::new(&home)?,
            rules: Rules {
                audience: client.client_id.clone(),
                token_type: TokenType::Id,
                clients: Vec::new(),
                ..access.clone()
            },
            client_secret: client.client_secret.clone(),
            redirect: client.public_url.join(CALLBACK)?,
            known: Mutex::default(),
        })
    }

    /// Where the browser goes to log in.
    pub async fn address(&self, login: &Login) -> Result<Url, LoginError> {
        let client = self.client(&*self.discovery().await?)?;
        let verifier = PkceCodeVerifier::new(login.verifier());
        let (url, _) = client
            .authorize_url(|| CsrfToken::new(login.state()))
            .add_scope(Scope::new("openid".to_owned()))
            .add_extra_param("nonce", login.nonce())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url)
    }

    /// Whom the code stands for: an ID token of this login, its claims waiting for the clock.
    /// `from`: the `iss` that came with the code.
    pub async fn redeem(
        &self,
        issuer: &Issuer,
        login: &Login,
        code: &str,
        from: Option<&str>,
    ) -> Result<Signed, LoginError> {
        let discovery = self.discovery().await?;
        let is_ours = match from {
            Some(from) => from == self.rules.issuer,
            None => !discovery.authorization_response_iss_parameter_supported,
        };
        if !is_ours {
            return Err(LoginError::Issuer);
        }
        let answer = self
            .client(&discovery)?
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(login.verifier()))
            .request_async(&self.web)
            .await
            .map_err(refusal)?;
        let signed = issuer
            .read_as(&answer.extra_fields().id_token, &self.rules)
            .await?;
        if signed.statement.text("nonce") != Some(&login.nonce()) {
            return Err(LoginError::Nonce);
        }
        Ok(signed)
    }

    /// What ID tokens of [`Self::redeem`] are checked by.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    fn client(&self, discovery: &Discovery) -> Result<Client, LoginError> {
        let (Some(authorize), Some(token)) =
            (&discovery.authorization_endpoint, &discovery.token_endpoint)
        else {
            let missing = anyhow::anyhow!("the discovery document names no way to log in");
            return Err(LoginError::Unavailable(missing));
        };
        // The browser goes there, and trusts it with a password.
        self.web.judge(authorize).map_err(unavailable)?;
        Ok(
            oauth2::Client::new(ClientId::new(self.rules.audience.clone()))
                .set_client_secret(ClientSecret::new(
                    self.client_secret.expose_secret().to_owned(),
                ))
                .set_auth_uri(AuthUrl::from_url(authorize.clone()))
                .set_token_uri(TokenUrl::from_url(token.clone()))
                .set_redirect_uri(RedirectUrl::from_url(self.redirect.clone())),
        )
    }

    /// One fetch at a time, and one in five minutes; after one that failed, one in two seconds, so
    /// that nobody waits in a queue for a provider that does not answer.
    async fn discovery(&self) -> Result<Arc<Discovery>, LoginError> {
        let mut known = self.known.lock().await;
        match &*known {
            Some(Known {
                at,
                discovery: Some(discovery),
            }) if at.elapsed() < DISCOVERY_LIFETIME => return Ok(Arc::clone(discovery)),
            Some(Known {
                at,
                discovery: None,
            }) if at.elapsed() < FAILURE_LIFETIME => {
                return Err(unavailable(anyhow::anyhow!("it did not answer just now")));
            }
            _ => {}
        }
        let found = fetch::discovery(&self.web, &self.rules.issuer).await;
        let found = found.map(Arc::new).map_err(unavailable);
        *known = Some(Known {
            at: Instant::now(),
            discovery: found.as_ref().ok().map(Arc::clone),
        });
        found
    }
}

fn unavailable(error: impl Into<anyhow::Error>) -> LoginError {
    LoginError::Unavailable(error.into())
}

fn refusal(error: RequestTokenError<WebError, BasicErrorResponse>) -> LoginError {
    match error {
        RequestTokenError::ServerResponse(answer)
            if *answer.error() == BasicErrorResponseType::InvalidGrant =>
        {
            LoginError::Code
        }
        // Such as `invalid_client`: it is us whom it does not take.
        RequestTokenError::ServerResponse(answer) => unavailable(anyhow::anyhow!(
            "the token endpoint says {}",
            answer.error()
        )),
        RequestTokenError::Request(error) => unavailable(error),
        // The answer itself may hold tokens.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => unavailable(anyhow::anyhow!(
            "the token endpoint's answer cannot be read"
        )),
    }
}
