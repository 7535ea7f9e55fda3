//! How a session ends.

use serde_json::json;
use tests::{Stack, stack};

use super::{House, ME, SESSION, at, replica};
use crate::openid::IDENTITIES;

#[tokio::test(flavor = "multi_thread")]
async fn web_06_who_logs_out_is_out_everywhere() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let second = replica(stack, &house.provider).await;
    let mut browser = house.logged_in().await;
    let mut stolen = browser.clone();
    at(&second, &mut stolen, ME).await.expect(200);
    let answer = house.post(&mut browser, "/auth/logout", "").await;
    answer.expect(204);
    assert_eq!(answer.header("clear-site-data"), r#""cache", "storage""#);
    assert!(!browser.cookies.contains_key(SESSION));
    for replica in [&house.replica, &second] {
        let answer = at(replica, &mut stolen, ME).await;
        answer.problem(401, "credentials_revoked");
    }
    let ended: i64 = sqlx::query_scalar(
        "select count(*) from audit_logs where action = 'browser_session.end' and actor_id = $1 and outcome = 'allowed'",
    )
    .bind(&house.tenant.user_id)
    .fetch_one(&stack.database().await)
    .await
    .expect("the log");
    assert_eq!(ended, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_keeps_a_session_from_being_ended() {
    let stack = stack().await;
    let (house, other) = (House::new(stack).await, tests::Tenant::new(stack).await);
    let mut browser = house.logged_in().await;
    // His organizations are two now, and he named none.
    let email = &house.tenant.api.get(ME).await.expect(200)["user"]["email"];
    let wish = json!({"email": email, "display_name": "Ada", "role": "viewer"});
    let path = format!("/api/v1/organizations/{}/members", other.org_id);
    other.api.post(&path, &wish).await.expect(201);
    house
        .get(&mut browser, ME)
        .await
        .problem(400, "organization_required");
    let mut stolen = browser.clone();
    let foreign = browser
        .request(
            reqwest::Method::POST,
            &format!("{}/auth/logout", house.replica.base),
        )
        .header("sec-fetch-site", "cross-site");
    browser.ask(foreign).await.problem(403, "forbidden");
    house
        .post(&mut browser, "/auth/logout", "")
        .await
        .expect(204);
    house
        .get(&mut stolen, ME)
        .await
        .problem(401, "credentials_revoked");
    // One that ended may end again, and one that never was is forgotten.
    house
        .post(&mut stolen, "/auth/logout", "")
        .await
        .expect(204);
    stolen.cookies.insert(SESSION.to_owned(), "A".repeat(43));
    let answer = house.post(&mut stolen, "/auth/logout", "").await;
    answer.problem(401, "invalid_credentials");
    assert!(!stolen.cookies.contains_key(SESSION));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_becomes_an_operator_logs_in_again() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let mut browser = house.logged_in().await;
    let role = async |role: Option<&str>| {
        sqlx::query("update users set platform_role = $2 where id = $1::uuid")
            .bind(house.tenant.user_id.rsplit('_').next())
            .bind(role)
            .execute(&stack.database().await)
            .await
            .expect("a person");
    };
    role(Some("operator")).await;
    house
        .get(&mut browser, ME)
        .await
        .problem(401, "credentials_revoked");
    let mut browser = house.logged_in().await;
    house.get(&mut browser, ME).await.expect(200);
    let idle: i32 = sqlx::query_scalar(
        "select idle_seconds from browser_sessions where identity_id = $1::uuid order by id desc limit 1",
    )
    .bind(house.identity_id.rsplit('_').next())
    .fetch_one(&stack.database().await)
    .await
    .expect("a session");
    assert_eq!(idle, 900);
    role(None).await;
}

/// Moves what the database noted about the newest session of a person.
async fn shift(stack: &Stack, house: &House, what: &str) {
    let done = sqlx::query(sqlx::AssertSqlSafe(format!(
        "update browser_sessions set {what} where identity_id = $1::uuid and ended_at is null"
    )))
    .bind(house.identity_id.rsplit('_').next())
    .execute(&stack.database().await)
    .await
    .expect("a session");
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn web_02_idle_and_old_sessions_end() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let mut browser = house.logged_in().await;
    let bounds: (i32, f64) = sqlx::query_as(
        "select idle_seconds, extract(epoch from expires_at - created_at)::float8
         from browser_sessions where identity_id = $1::uuid",
    )
    .bind(house.identity_id.rsplit('_').next())
    .fetch_one(&stack.database().await)
    .await
    .expect("a session");
    assert!(
        bounds.0 == 3_600 && (bounds.1 - 43_200.0).abs() < 1.0,
        "{bounds:?}"
    );
    // A request within the hour keeps it, by being noted.
    shift(
        stack,
        &house,
        "seen_at = clock_timestamp() - interval '3590 seconds'",
    )
    .await;
    house.get(&mut browser, ME).await.expect(200);
    tests::eventually("the use is noted", std::time::Duration::from_secs(10), || async {
        sqlx::query_scalar::<_, bool>(
            "select seen_at > clock_timestamp() - interval '1 minute' from browser_sessions where identity_id = $1::uuid",
        )
        .bind(house.identity_id.rsplit('_').next())
        .fetch_one(&stack.database().await)
        .await
        .expect("a session")
        .then_some(())
    })
    .await;
    shift(
        stack,
        &house,
        "seen_at = clock_timestamp() - interval '3601 seconds'",
    )
    .await;
    house
        .get(&mut browser, ME)
        .await
        .problem(401, "credentials_expired");
    // The refused request was no use of it.
    house
        .get(&mut browser, ME)
        .await
        .problem(401, "credentials_expired");
    shift(
        stack,
        &house,
        "seen_at = clock_timestamp(), created_at = clock_timestamp() - interval '13 hours',
         expires_at = clock_timestamp() - interval '1 second'",
    )
    .await;
    house
        .get(&mut browser, ME)
        .await
        .problem(401, "credentials_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_revokes_a_persons_tokens_ends_his_sessions() {
    let stack = stack().await;
    let house = House::new(stack).await;
    let mut browser = house.logged_in().await;
    house.get(&mut browser, ME).await.expect(200);
    let path = format!("{IDENTITIES}/{}:revoke-tokens", house.identity_id);
    stack.admin().post(&path, &json!({})).await.expect(200);
    house
        .get(&mut browser, ME)
        .await
        .problem(401, "credentials_revoked");
    // A login of a later second opens another.
    tests::eventually(
        "a new login",
        std::time::Duration::from_secs(10),
        || async {
            let mut browser = tests::Browser::new();
            let page = browser.log_in(&house.replica, "", &house.subject).await;
            (page.answer.status == 200).then_some(())
        },
    )
    .await;
    let mut browser = house.logged_in().await;
    house.get(&mut browser, ME).await.expect(200);
    let path = format!("{IDENTITIES}/{}", house.identity_id);
    stack.admin().delete(&path).await.expect(204);
    house
        .get(&mut browser, ME)
        .await
        .problem(401, "invalid_credentials");
}
