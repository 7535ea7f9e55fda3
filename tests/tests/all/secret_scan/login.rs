//! Secrets of people who log in, and of what they open.

use domain::browser_session::Login;
use domain::ticket::{Binding, Presented, TicketPurpose};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use tests::identity_provider::{BROWSERS, CLIENT};
use tests::scan::Secrets;
use tests::signer::Party;
use tests::{Browser, IdentityProvider, Replica, Stack, Tenant};

use super::{data, marker};
use crate::openid::link;

/// A whole login at a real provider, failed ones, and an access token; on a replica whose log is
/// among the stack's.
pub(super) async fn through_a_browser(stack: &Stack, tenant: &Tenant, secrets: &mut Secrets) {
    let provider = IdentityProvider::start().await;
    for subject in [CLIENT, "ada"] {
        link(stack, &provider.issuer, subject, &tenant.user_id).await;
    }
    let settings = [
        ("OIDC_ISSUER_URL", provider.issuer.as_str()),
        ("OIDC_CLIENT_ID", BROWSERS.0),
        ("OIDC_CLIENT_SECRET", BROWSERS.1),
        ("BERTH_OIDC_AUDIENCE", tests::identity_provider::AUDIENCE),
    ];
    let log = data(stack).join("log/replica.log");
    let replica = Replica::logging(stack, &settings, &log).await;
    let token = provider.token().await;
    tests::eventually("the token is taken", super::LIMIT, || async {
        let answer = replica.api(Some(&token)).get("/api/v1/me").await;
        (answer.status == 200).then_some(())
    })
    .await;
    secrets.add("an access token", &token);
    let signature = token.rsplit('.').next().expect("a signature");
    secrets.add("an access token's signature", signature);

    let mut browser = Browser::new();
    browser.visit(&format!("{}/auth/login", replica.base)).await;
    let login = browser.cookies["__Host-berth_login"].clone();
    let begun = begun_as(&login, "a failed login", secrets);
    let (code, error) = (marker(), marker());
    let callback = format!("{}/auth/callback", replica.base);
    for query in [("code", &code), ("error", &error)] {
        let request = browser.request(Method::GET, &callback).query(&[
            query,
            ("state", &begun.state()),
            ("iss", &provider.issuer),
        ]);
        browser
            .cookies
            .insert("__Host-berth_login".to_owned(), login.clone());
        browser.ask(request).await.expect(401);
    }
    secrets.add("a made-up code", code);
    secrets.add("a provider's error", error);
    let page = browser.log_in(&replica, "", "ada").await;
    page.answer.expect(200);
    let set = |text: &&String| text.starts_with("__Host-berth_login=") && !text.contains("=;");
    let login = page.set.iter().find(set).expect("a login");
    let login = login.split(['=', ';']).nth(1).expect("a value");
    drop(begun_as(login, "a login", secrets));
    let code = page.url.query_pairs().find(|(name, _)| name == "code");
    secrets.add("a code", code.expect("a code").1.as_bytes());
    let session = &browser.cookies["__Host-berth_session"];
    secrets.add("a session", session);
    let request = browser.request(Method::GET, &format!("{}/api/v1/me", replica.base));
    let control = format!("scan-{:032x}", rand::random::<u128>());
    let request = request.header("x-request-id", &control);
    browser.ask(request).await.expect(200);
    tests::eventually(
        "the replica's log is where it is scanned",
        super::LIMIT,
        || async {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            text.contains(&control).then_some(())
        },
    )
    .await;
}

fn begun_as(cookie: &str, whose: &str, secrets: &mut Secrets) -> Login {
    let begun = Login::parse(cookie).expect("a login");
    for (name, secret) in [
        ("cookie", cookie.to_owned()),
        ("verifier", begun.verifier()),
        ("state", begun.state()),
        ("nonce", begun.nonce()),
    ] {
        secrets.add(&format!("{whose}'s {name}"), secret);
    }
    begun
}

/// A ticket that is taken, and one that waits.
pub(super) async fn tickets(stack: &Stack, tenant: &Tenant, secrets: &mut Secrets) {
    let party = Party::new(stack).await;
    let parse = |id: &str| {
        id.rsplit('_')
            .next()
            .and_then(|id| id.parse().ok())
            .expect("an id")
    };
    let made: uuid::Uuid = parse(&tenant.org_id);
    let user: uuid::Uuid = parse(&tenant.user_id);
    let binding = Binding {
        user_id: user.into(),
        org_id: made.into(),
        allocation_id: uuid::Uuid::from_u128(rand::random()).into(),
        origin: "https://berth.example".to_owned(),
        browser_session: None,
        purpose: TicketPurpose::Terminal,
    };
    let other = Presented {
        allocation_id: uuid::Uuid::from_u128(rand::random()).into(),
        origin: "https://berth.example",
        browser_session: None,
        purpose: TicketPurpose::Terminal,
    };
    for name in ["a ticket that was taken", "a ticket that waits"] {
        let minted = party.tickets.mint(&binding).await.expect("a ticket");
        let ticket = minted.ticket.expose_secret();
        let random = ticket.split('.').next().expect("its random part");
        secrets.add(name, random.trim_start_matches("tt_"));
        secrets.add(name, ticket);
        if name.ends_with("taken") {
            let taken = party
                .tickets
                .take(ticket, &other, async |_, _| {
                    Ok::<_, std::convert::Infallible>(Some(()))
                })
                .await;
            assert!(taken.is_err(), "it is for another allocation");
        }
    }
}
