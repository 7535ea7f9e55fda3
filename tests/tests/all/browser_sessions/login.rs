//! How a session begins.

use reqwest::Method;
use serde_json::json;
use tests::{Browser, IdentityProvider, Tenant, stack};

use super::{House, ME, SESSION, at, replica};

#[tokio::test(flavor = "multi_thread")]
async fn web_01_who_logs_in_has_a_session_and_no_token() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let mut browser = Browser::new();
    let page = browser
        .log_in(&house.replica, "?return_to=/api/v1/me?a=b", &house.subject)
        .await;
    page.answer.expect(200);
    assert_eq!(page.url.path(), "/auth/callback");
    assert!(
        page.answer.text.contains("url=/api/v1/me?a=b"),
        "{}",
        page.answer.text
    );
    let set = |name: &str| {
        let mut set = page.set.iter().filter(|text| text.starts_with(name));
        set.next_back().expect("set").clone()
    };
    let session = set(SESSION);
    for part in ["HttpOnly", "Secure", "Path=/", "SameSite=Strict"] {
        assert!(session.contains(part), "{session}");
    }
    assert!(
        !session.contains("Domain") && !session.contains("Max-Age"),
        "{session}"
    );
    assert!(set("__Host-berth_login").contains("Max-Age=0"));
    let me = house.get(&mut browser, ME).await.expect(200);
    assert_eq!(me["user"]["id"], *house.tenant.user_id);
    assert_eq!(me["credential"]["kind"], "browser_session");
    let id = me["credential"]["id"].as_str().expect("an id");
    // The database has neither the secret nor anything of the provider's but names.
    let database = stack.database().await;
    let row: String =
        sqlx::query_scalar("select to_jsonb(s)::text from browser_sessions s where id = $1::uuid")
            .bind(id.rsplit('_').next())
            .fetch_one(&database)
            .await
            .expect("the row");
    assert!(
        !row.contains("eyJ") && !row.contains(&browser.cookies[SESSION]),
        "{row}"
    );
    let (actor, outcome): (String, String) = sqlx::query_as(
        "select actor_id, outcome from audit_logs
         where action = 'browser_session.create' and resource_id = $1",
    )
    .bind(id)
    .fetch_one(&database)
    .await
    .expect("the log");
    assert_eq!(
        (actor, outcome.as_str()),
        (house.tenant.user_id.clone(), "allowed")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn web_05_the_provider_is_asked_for_a_code_bound_to_this_browser() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let login = format!("{}/auth/login", house.replica.base);
    let mut browser = Browser::new();
    let request = browser.request(Method::GET, &login);
    let answer = browser.ask(request).await;
    answer.expect(303);
    let asked: reqwest::Url = answer.header("location").parse().expect("a URL");
    let asked: std::collections::BTreeMap<_, _> = asked.query_pairs().into_owned().collect();
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["scope"], "openid");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(
        asked["redirect_uri"],
        format!("{}/auth/callback", house.replica.base)
    );
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(asked[name].len(), 43, "{name}");
    }
    let cookie = answer.header("set-cookie");
    for part in [
        "__Host-berth_login=",
        "HttpOnly",
        "Secure",
        "SameSite=Lax",
        "Max-Age=600",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    for bad in [
        "//evil.example",
        "https://evil.example",
        "/%5Cevil.example",
        "evil",
    ] {
        let request = browser.request(Method::GET, &format!("{login}?return_to={bad}"));
        browser.ask(request).await.problem(400, "invalid_query");
    }
    let request = browser.request(Method::GET, &format!("{login}?organization=org_1"));
    browser.ask(request).await.problem(400, "invalid_query");
    // Nobody else's page chooses where somebody works.
    let chosen = format!("{login}?organization={}", house.tenant.org_id);
    for (from, status) in [("cross-site", 403), ("same-site", 403), ("none", 303)] {
        let request = browser
            .request(Method::GET, &chosen)
            .header("sec-fetch-site", from);
        browser.ask(request).await.expect(status);
    }
    // Where no client is configured, nobody logs in.
    let request = browser.request(
        Method::GET,
        &format!("{}/auth/login", stack.env("BERTH_API_URL")),
    );
    browser.ask(request).await.problem(422, "not_supported");
}

#[tokio::test(flavor = "multi_thread")]
async fn web_05_only_the_answer_to_this_browsers_login_counts() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let base = &house.replica.base;
    // An answer that nobody asked for, and one that somebody else asked for.
    let mut stranger = Browser::new();
    for query in ["", "?code=c", "?code=c&state=s", "?error=access_denied"] {
        let page = stranger
            .visit(&format!("{base}/auth/callback{query}"))
            .await;
        page.answer.problem(400, "malformed_request");
    }
    let mut browser = Browser::new();
    let page = browser.log_in(&house.replica, "", &house.subject).await;
    page.answer.expect(200);
    let callback = page.url.to_string();
    stranger.visit(&format!("{base}/auth/login")).await;
    let login_of_stranger = stranger.cookies["__Host-berth_login"].clone();
    let page = stranger.visit(&callback).await;
    page.answer.problem(400, "malformed_request");
    assert!(!stranger.cookies.contains_key(SESSION));
    // One's own answer, again: the login is over.
    browser
        .visit(&callback)
        .await
        .answer
        .problem(400, "malformed_request");
    // One's own login, with what the provider never said.
    let state = async |login: &str, rest: &str| {
        let login = domain::browser_session::Login::parse(login).expect("a login");
        let mut browser = Browser::new();
        browser
            .cookies
            .insert("__Host-berth_login".to_owned(), login.cookie().to_string());
        let url = format!("{base}/auth/callback?state={}{rest}", login.state());
        browser.visit(&url).await.answer
    };
    let answer = state(&login_of_stranger, "&error=access_denied&iss=x").await;
    let problem = answer.problem(401, "invalid_credentials");
    assert!(
        problem["detail"]
            .as_str()
            .expect("why")
            .ends_with("access_denied")
    );
    let iss = format!("&code=made-up&iss={}", house.provider.issuer);
    state(&login_of_stranger, &iss)
        .await
        .problem(401, "invalid_credentials");
    for rest in ["&code=made-up", "&code=made-up&iss=https://other.example"] {
        let problem = state(&login_of_stranger, rest)
            .await
            .problem(401, "invalid_credentials");
        assert_eq!(problem["detail"], "the answer is not this provider's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_to_berth_is_told_whom_to_ask_and_a_provider_that_is_away_is_named() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let mut browser = Browser::new();
    let page = browser.log_in(&house.replica, "", "nobody-knows-me").await;
    let problem = page.answer.problem(401, "invalid_credentials");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("nobody-knows-me") && detail.contains("operator"),
        "{detail}"
    );
    assert!(!browser.cookies.contains_key(SESSION));
    let away = IdentityProvider::start().await;
    let lonely = replica(stack, &away).await;
    drop(away);
    let page = browser.visit(&format!("{}/auth/login", lonely.base)).await;
    let problem = page.answer.problem(503, "unavailable");
    assert_eq!(problem["detail"], "the identity provider cannot be asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn web_03_a_session_that_was_there_before_does_not_become_anybodys() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let mut browser = house.logged_in().await;
    let mut old = browser.clone();
    let page = browser.log_in(&house.replica, "", &house.subject).await;
    page.answer.expect(200);
    assert_ne!(old.cookies[SESSION], browser.cookies[SESSION]);
    house.get(&mut browser, ME).await.expect(200);
    house
        .get(&mut old, ME)
        .await
        .problem(401, "credentials_revoked");
    // One that an attacker made up and planted.
    let mut victim = Browser::new();
    let planted = "A".repeat(43);
    victim.cookies.insert(SESSION.to_owned(), planted.clone());
    victim
        .log_in(&house.replica, "", &house.subject)
        .await
        .answer
        .expect(200);
    assert_ne!(victim.cookies[SESSION], planted);
    let mut attacker = Browser::new();
    attacker.cookies.insert(SESSION.to_owned(), planted);
    house
        .get(&mut attacker, ME)
        .await
        .problem(401, "invalid_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_several_organizations_logs_in_into_one() {
    let stack = stack().await;
    let (house, other) = (House::new(stack).await, Tenant::new(stack).await);
    let email = &house.tenant.api.get(ME).await.expect(200)["user"]["email"];
    let wish = json!({"email": email, "display_name": "Ada", "role": "viewer"});
    let path = format!("/api/v1/organizations/{}/members", other.org_id);
    other.api.post(&path, &wish).await.expect(201);
    let mut browser = house.logged_in().await;
    house
        .get(&mut browser, ME)
        .await
        .problem(400, "organization_required");
    let query = format!("?organization={}", other.org_id);
    let mut browser = Browser::new();
    browser
        .log_in(&house.replica, &query, &house.subject)
        .await
        .answer
        .expect(200);
    let me = at(&house.replica, &mut browser, ME).await.expect(200);
    assert_eq!(me["organization"]["id"], *other.org_id);
    let stranger = Tenant::new(stack).await;
    let query = format!("?organization={}", stranger.org_id);
    let page = Browser::new()
        .log_in(&house.replica, &query, &house.subject)
        .await;
    page.answer.problem(403, "forbidden");
}
