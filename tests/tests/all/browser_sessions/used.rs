//! What a session opens, and for whom.

use reqwest::Method;
use serde_json::json;
use tests::stack;

use super::{House, ME, PROJECTS, SESSION};

#[tokio::test(flavor = "multi_thread")]
async fn web_04_only_our_own_pages_change_something() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let mut browser = house.logged_in().await;
    let made = house
        .post(&mut browser, PROJECTS, r#"{"name": "by a page"}"#)
        .await;
    made.expect(201);
    let foreign = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("x-nothing", "said"),
    ];
    for (name, value) in foreign {
        let url = format!("{}{PROJECTS}", house.replica.base);
        let request = browser
            .request(Method::POST, &url)
            .header(name, value)
            .header("idempotency-key", "evil")
            .json(&json!({"name": "evil"}));
        browser.ask(request).await.problem(403, "forbidden");
    }
    let names = house
        .get(&mut browser, PROJECTS)
        .await
        .expect(200)
        .to_string();
    assert!(
        names.contains("by a page") && !names.contains("evil"),
        "{names}"
    );
    // By `Origin` alone, as an older browser says it.
    let request = browser
        .request(Method::POST, &format!("{}{PROJECTS}", house.replica.base))
        .header("origin", &house.replica.base)
        .header("idempotency-key", "older")
        .json(&json!({"name": "older"}));
    browser.ask(request).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_05_a_session_is_the_one_credential_or_none() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let mut browser = house.logged_in().await;
    let url = format!("{}{ME}", house.replica.base);
    let request = browser.request(Method::GET, &url).bearer_auth("berth_x");
    browser
        .ask(request)
        .await
        .problem(400, "multiple_credentials");
    let mut twice = browser.clone();
    let secret = twice.cookies[SESSION].clone();
    twice
        .cookies
        .insert(SESSION.to_owned(), format!("{secret}; {SESSION}={secret}"));
    house
        .get(&mut twice, ME)
        .await
        .problem(400, "multiple_credentials");
    let changed = |secret: &str| {
        let first = if secret.starts_with('A') { "B" } else { "A" };
        format!("{first}{}", &secret[1..])
    };
    for odd in [
        changed(&secret),
        "x".to_owned(),
        secret[1..].to_owned(),
        format!("{secret}="),
    ] {
        let mut other = browser.clone();
        other.cookies.insert(SESSION.to_owned(), odd);
        house
            .get(&mut other, ME)
            .await
            .problem(401, "invalid_credentials");
    }
    // A person with a session makes keys; a key ends no session.
    let key = r#"{"name": "from a page"}"#;
    let path = "/api/v1/api-keys";
    house.post(&mut browser, path, key).await.expect(201);
    let api = house.tenant.api.at(&house.replica.base);
    api.post("/auth/logout", &json!({}))
        .await
        .problem(403, "forbidden");
}
