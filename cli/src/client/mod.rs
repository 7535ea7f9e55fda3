//! Berth's REST API as a client sees it.
//!
//! A [`Call`] is repeated by itself only where a repetition cannot double anything: methods that
//! HTTP calls idempotent, and creations, which all carry one `Idempotency-Key` through every try.

mod answer;
mod call;
mod error;
pub(crate) mod operation;
mod problem;
pub(crate) mod settings;
mod text;
mod watch;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use url::Url;

pub(crate) use self::answer::Answer;
pub(crate) use self::call::{Call, IdempotencyKey};
pub(crate) use self::error::Error;
pub(crate) use self::operation::Operation;
pub(crate) use self::problem::Problem;
pub(crate) use self::settings::{EnvFile, Key, Settings, SettingsError};
pub(crate) use self::text::plain;
pub(crate) use self::watch::{Progress, watch_operation};

pub(crate) type Result<T> = std::result::Result<T, Error>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a call is repeated while nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Some seconds: somebody waits at the prompt.
    Brief,
    /// About a minute: long enough for an API that restarts.
    Long,
}

impl Patience {
    fn backoff(self) -> ExponentialBuilder {
        let builder = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_jitter();
        match self {
            Self::Brief => builder
                .with_max_delay(Duration::from_secs(2))
                .with_max_times(5),
            Self::Long => builder
                .with_max_delay(Duration::from_secs(5))
                .with_max_times(15),
        }
    }
}

/// One caller: an address and the key of a principal.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        Ok(Self {
            http: http_client(settings)?,
            base: settings.api_url.clone(),
        })
    }

    /// Whether the API and everything it needs are there.
    pub(crate) async fn is_ready(&self) -> bool {
        let mut url = self.base.clone();
        url.set_path("/readyz");
        let answer = self.http.get(url).timeout(CONNECT_TIMEOUT).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.send(&Call::get(path)).await
    }

    /// Sends a call, again if need be, and gives back an answer that says yes.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer> {
        self.send_with(call, Patience::Brief).await
    }

    /// As [`Self::send`], with another patience.
    pub(crate) async fn send_with(&self, call: &Call, patience: Patience) -> Result<Answer> {
        (|| self.send_once(call))
            .retry(patience.backoff())
            .when(|error| error.may_pass(call))
            .adjust(|error, wait| wait.map(|wait| error.retry_after().unwrap_or(wait)))
            .notify(|error, wait| tracing::debug!(%error, ?wait, "trying again"))
            .await
    }

    async fn send_once(&self, call: &Call) -> Result<Answer> {
        let url = call.url(&self.base);
        let mut request = self.http.request(call.method().clone(), url);
        request = request.timeout(ANSWER_TIMEOUT + call.wait());
        if let Some(key) = call.idempotency_key() {
            request = request.header("idempotency-key", key.as_str());
        }
        if let Some(body) = call.body() {
            request = request.json(body);
        }
        let lost = |source| Error::unreachable(&self.base, &source);
        let response = request.send().await.map_err(lost)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.map_err(lost)?;
        let answer = Answer {
            status,
            headers,
            text,
        };
        if status.is_success() {
            Ok(answer)
        } else {
            Err(Error::refused(&answer))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where clients are built"
)]
fn http_client(settings: &Settings) -> Result<reqwest::Client> {
    // A second call answers with the provider that is already there, which is the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut headers = HeaderMap::new();
    if let Some(key) = &settings.api_key {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.reveal()))
            .map_err(|_| Error::KeyShape)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .connect_timeout(CONNECT_TIMEOUT)
        // The key goes to the address it was meant for and to no other.
        .redirect(reqwest::redirect::Policy::none());
    if settings.api_url.scheme() == "http" {
        // A machine without certificate authorities can still talk to a stack of its own.
        builder = builder.tls_certs_only([]);
    }
    if settings.is_loopback() {
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|source| Error::unreachable(&settings.api_url, &source))
}
