//! A REST client that hides nothing: status, headers and body of every answer.

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

use crate::wait::eventually;

/// One caller: an address and a key.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Fails the test with the whole answer unless the status is the wanted one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// Fails the test unless this is a complete problem+json with this status and code.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{}", self.text);
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        for field in ["type", "title", "status", "detail", "request_id", "retry"] {
            assert!(!body[field].is_null(), "no {field}: {}", self.text);
        }
        assert_eq!(body["request_id"], self.header("x-request-id"));
        body
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    }
}

/// A client of servers that a test started.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's client, to the stack it started"
)]
pub(crate) fn builder() -> reqwest::ClientBuilder {
    // Whoever comes second finds the same provider.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .timeout(Duration::from_mins(1))
        // The API closes a connection after ten idle seconds; a request that meets the close is lost.
        .pool_idle_timeout(Duration::from_secs(5))
}

pub(crate) fn client() -> reqwest::Client {
    let client = builder().build();
    client.expect("a client without special wishes")
}

impl Api {
    pub fn new(base: &str, key: Option<&str>) -> Self {
        Self {
            http: client(),
            base: base.to_owned(),
            key: key.map(ToOwned::to_owned),
        }
    }

    /// The same address with another key.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self {
            key: key.map(ToOwned::to_owned),
            ..self.clone()
        }
    }

    /// The same key at another address.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self {
            base: base.to_owned(),
            ..self.clone()
        }
    }

    /// A request with the key on it, for wishes that the shorthands below do not cover.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_send(request).await.expect("the API answers")
    }

    /// As [`Self::send`], for tests that kill the API.
    pub async fn try_send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer {
            status,
            headers,
            text: response.text().await?,
        })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// POST under a fresh idempotency key.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(&Uuid::from_u128(rand::random()).to_string(), path, body)
            .await
    }

    pub async fn post_as(&self, idempotency_key: &str, path: &str, body: &Value) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header("idempotency-key", idempotency_key);
        self.send(request.json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, etag: &str, body: &Value) -> Answer {
        self.send(
            self.request(Method::PATCH, path)
                .header("if-match", etag)
                .json(body),
        )
        .await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Long-polls an operation to its end and gives it back.
    pub async fn finished(&self, operation: &Value, limit: Duration) -> Value {
        let id = operation["id"]
            .as_str()
            .expect("an operation has an id")
            .to_owned();
        eventually(&format!("the end of {id}"), limit, || async {
            let path = format!("/api/v1/operations/{id}?wait_seconds=5");
            let answer = self.try_send(self.request(Method::GET, &path)).await.ok()?;
            let body = answer.json();
            let open = matches!(body["state"].as_str(), Some("pending" | "running") | None);
            (!open).then_some(body)
        })
        .await
    }

    /// Waits until an allocation is in one of these states and gives it back.
    pub async fn allocation_in(&self, id: &str, states: &[&str], limit: Duration) -> Value {
        eventually(&format!("{id} in {states:?}"), limit, || async {
            let request = self.request(Method::GET, &format!("/api/v1/allocations/{id}"));
            let body = self.try_send(request).await.ok()?.json();
            states.contains(&body["state"].as_str()?).then_some(body)
        })
        .await
    }
}
