//! Sessions of browsers: how one begins at a real provider, what it opens, and how it ends.

mod ends;
mod login;
mod temporal_ui;
mod used;

use reqwest::Method;
use tests::identity_provider::BROWSERS;
use tests::{Answer, Browser, IdentityProvider, Replica, Stack, Tenant};

use crate::openid::link;

const ME: &str = "/api/v1/me";
const PROJECTS: &str = "/api/v1/projects";
const SESSION: &str = "__Host-berth_session";

/// A replica where people log in.
async fn replica(stack: &Stack, provider: &IdentityProvider) -> Replica {
    let settings = [
        ("OIDC_ISSUER_URL", provider.issuer.as_str()),
        ("OIDC_CLIENT_ID", BROWSERS.0),
        ("OIDC_CLIENT_SECRET", BROWSERS.1),
    ];
    Replica::start(stack, &settings).await
}

/// Everything that a login needs, and somebody who can.
struct House {
    provider: IdentityProvider,
    replica: Replica,
    tenant: Tenant,
    subject: String,
    identity_id: String,
}

impl House {
    async fn new(stack: &Stack) -> Self {
        let (tenant, provider) = (Tenant::new(stack).await, IdentityProvider::start().await);
        let subject = format!("ada-{}", tenant.user_id);
        let identity = link(stack, &provider.issuer, &subject, &tenant.user_id).await;
        Self {
            replica: replica(stack, &provider).await,
            identity_id: identity["id"].as_str().expect("an id").to_owned(),
            provider,
            tenant,
            subject,
        }
    }

    /// A browser that somebody logged in with.
    async fn logged_in(&self) -> Browser {
        let mut browser = Browser::new();
        let page = browser.log_in(&self.replica, "", &self.subject).await;
        page.answer.expect(200);
        browser
    }

    async fn get(&self, browser: &mut Browser, path: &str) -> Answer {
        at(&self.replica, browser, path).await
    }

    /// A change that one of our own pages asks for.
    async fn post(&self, browser: &mut Browser, path: &str, body: &str) -> Answer {
        let request = browser
            .request(Method::POST, &format!("{}{path}", self.replica.base))
            .header("sec-fetch-site", "same-origin")
            .header(
                "idempotency-key",
                uuid::Uuid::from_u128(rand::random()).to_string(),
            )
            .header("content-type", "application/json")
            .body(body.to_owned());
        browser.ask(request).await
    }
}

async fn at(replica: &Replica, browser: &mut Browser, path: &str) -> Answer {
    let request = browser.request(Method::GET, &format!("{}{path}", replica.base));
    browser.ask(request).await
}
