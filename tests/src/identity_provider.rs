//! A real OpenID provider (npm `oidc-provider`), as a child process: `tests/idp/provider.mjs`.

use std::process::Stdio;

use reqwest::Method;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::api::Api;
use crate::replica::free_address;
use crate::stack::{START_LIMIT, workspace};
use crate::wait::eventually;

/// Audience of its access tokens.
pub const AUDIENCE: &str = "https://api.example.test";
/// The client that gets tokens for itself, which is also their subject.
pub const CLIENT: &str = "svc";
const CLIENT_SECRET: &str = "svc-secret";
/// The client that people log in with, and its secret.
pub const BROWSERS: (&str, &str) = ("web", "web-secret");

/// Ends with its value. Its keys are new at each start, and so are their ids.
#[derive(Debug)]
pub struct IdentityProvider {
    pub issuer: String,
    address: String,
    child: Child,
}

impl IdentityProvider {
    pub async fn start() -> Self {
        Self::at(free_address()).await
    }

    /// The same provider with other keys: it comes up where it was.
    pub async fn restarted(mut self) -> Self {
        self.child.kill().await.expect("it was alive");
        Self::at(self.address.clone()).await
    }

    async fn at(address: String) -> Self {
        let port = address.rsplit(':').next().expect("a port");
        let child = Command::new("node")
            .arg(workspace().join("tests/idp/provider.mjs"))
            .env("PORT", port)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts: scripts/setup.sh installs it and tests/idp");
        let provider = Self {
            issuer: format!("http://{address}"),
            address,
            child,
        };
        let http = Api::new(&provider.issuer, None);
        eventually("the provider answers", START_LIMIT, || async {
            let request = http.request(Method::GET, "/.well-known/openid-configuration");
            let answer = http.try_send(request).await.ok()?;
            answer.status.is_success().then_some(())
        })
        .await;
        provider
    }

    /// An access token by client credentials: ES256, five minutes, subject [`CLIENT`].
    pub async fn token(&self) -> String {
        let http = Api::new(&self.issuer, None);
        let request = http
            .request(Method::POST, "/token")
            .basic_auth(CLIENT, Some(CLIENT_SECRET))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        let answer = http.send(request).await.expect(200);
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// Ids of its keys.
    pub async fn key_ids(&self) -> Vec<String> {
        let keys = Api::new(&self.issuer, None).get("/jwks").await.expect(200);
        let keys = keys["keys"].as_array().cloned().unwrap_or_default();
        let id = |key: &Value| key["kid"].as_str().expect("a key id").to_owned();
        keys.iter().map(id).collect()
    }
}
