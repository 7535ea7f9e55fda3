//! The states of signing keys, where the database guards them.

use domain::signing_key::{Kid, Purpose};
use domain::state::SigningKeyState;
use futures::future::join_all;
use reqwest::StatusCode;
use sqlx::{Connection as _, PgConnection};
use tests::signer::{Party, role_pool};
use tests::{Tenant, rough_stack, stack};

const ADMIN: &str = "/api/v1/admin/signing-keys";

async fn in_state(conn: &mut PgConnection, purpose: Purpose, state: SigningKeyState) -> Vec<Kid> {
    let keys = db::signing_key::valid(conn).await.expect("keys");
    keys.into_iter()
        .filter(|key| key.purpose == purpose && key.state == state)
        .map(|key| key.kid)
        .collect()
}

/// Tries a change in a savepoint; the name of what refused it.
async fn refused(conn: &mut PgConnection, sql: &'static str, kid: &Kid) -> Option<String> {
    let mut savepoint = conn.begin().await.expect("a savepoint");
    let done = sqlx::query(sql)
        .bind(kid.as_str())
        .execute(&mut *savepoint)
        .await;
    savepoint.rollback().await.expect("as before");
    let error = db::Error::from(done.err()?);
    error.constraint().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_its_way_and_no_other() {
    let stack = stack().await;
    super::jwks(stack).await;
    let purpose = Purpose::JwtSigner;
    // Everything here is undone: other tests sign with these keys meanwhile.
    let mut tx = role_pool(stack, "worker")
        .await
        .begin()
        .await
        .expect("a transaction");
    let first = in_state(&mut tx, purpose, SigningKeyState::Active)
        .await
        .remove(0);
    let next = in_state(&mut tx, purpose, SigningKeyState::PrePublished)
        .await
        .remove(0);

    let one = Some("signing_keys_one_active".to_owned());
    let activate = "update signing_keys set state = 'active', activated_at = clock_timestamp(),
                           retiring_at = null where kid = $1";
    assert_eq!(
        refused(&mut tx, activate, &next).await,
        one,
        "two would sign"
    );
    let guard = Some("signing_keys_transition".to_owned());
    let retire = "update signing_keys set state = 'retiring', activated_at = clock_timestamp(),
                         retiring_at = clock_timestamp(), private_key_enc = null where kid = $1";
    assert_eq!(
        refused(&mut tx, retire, &next).await,
        guard,
        "it never signed"
    );
    let keep = "update signing_keys set state = 'retiring', retiring_at = clock_timestamp() where kid = $1";
    let wiped = Some("signing_keys_private_while_needed".to_owned());
    assert_eq!(
        refused(&mut tx, keep, &first).await,
        wiped,
        "its seed stays"
    );

    let promoted = db::signing_key::promote(&mut tx, purpose)
        .await
        .expect("a next key");
    assert_eq!(promoted, Some(next.clone()));
    let signs = in_state(&mut tx, purpose, SigningKeyState::Active).await;
    assert_eq!(signs, std::slice::from_ref(&next));
    let retiring = in_state(&mut tx, purpose, SigningKeyState::Retiring).await;
    assert!(retiring.contains(&first), "{retiring:?}");
    assert_eq!(
        refused(&mut tx, activate, &first).await,
        guard,
        "back again"
    );
    let again = db::signing_key::promote(&mut tx, purpose)
        .await
        .expect("no error");
    assert_eq!(again, None, "there is no next");
    let signs = in_state(&mut tx, purpose, SigningKeyState::Active).await;
    assert_eq!(
        signs,
        std::slice::from_ref(&next),
        "the one that signs goes on"
    );

    db::signing_key::retire(&mut tx, &next)
        .await
        .expect("it was active");
    assert!(
        db::signing_key::revoke(&mut tx, &next)
            .await
            .expect("it was retiring")
    );
    assert!(
        !db::signing_key::revoke(&mut tx, &next)
            .await
            .expect("it is revoked")
    );
    assert_eq!(
        refused(&mut tx, activate, &next).await,
        guard,
        "revoked for good"
    );
    let left: i64 = sqlx::query_scalar(
        "select count(*) from signing_keys where private_key_enc is not null
         and state in ('retiring', 'revoked')",
    )
    .fetch_one(&mut *tx)
    .await
    .expect("a number");
    assert_eq!(left, 0, "seeds of keys that sign no more");
    tx.rollback().await.expect("as before");
}

/// Nobody but the owner of the schema can exchange what a key is.
#[tokio::test(flavor = "multi_thread")]
async fn no_role_changes_a_public_half() {
    let stack = stack().await;
    for role in ["api", "worker"] {
        let pool = role_pool(stack, role).await;
        for sql in [
            "update signing_keys set public_jwk = public_jwk",
            "update signing_keys set purpose = purpose",
            "delete from signing_keys",
        ] {
            let error = sqlx::query(sql)
                .execute(&pool)
                .await
                .expect_err(sql)
                .to_string();
            assert!(
                error.contains("permission denied"),
                "{role}: {sql}: {error}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_once_whoever_comes_first() {
    let stack = rough_stack().await;
    let worker = role_pool(&stack, "worker").await;
    let mut conn = worker.acquire().await.expect("a connection");
    for key in db::signing_key::valid(&mut conn).await.expect("keys") {
        db::signing_key::revoke(&mut conn, &key.kid)
            .await
            .expect("revoked");
    }
    let parties = join_all((0..12).map(|_| Party::new(&stack))).await;
    let signing = parties.iter().map(|party| async {
        let mut kids = Vec::new();
        for purpose in Purpose::ALL {
            let key = party.signer.active(*purpose).await.expect("a key");
            kids.push(key.kid().clone());
        }
        kids
    });
    let kids = join_all(signing).await;
    assert!(kids.iter().all(|these| *these == kids[0]), "{kids:?}");
    for purpose in Purpose::ALL {
        for state in [SigningKeyState::Active, SigningKeyState::PrePublished] {
            let there = in_state(&mut conn, *purpose, state).await;
            assert_eq!(there.len(), 1, "{purpose} {state}: {there:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_the_keys_and_their_ages() {
    let stack = stack().await;
    super::jwks(stack).await;
    let tenant = Tenant::new(stack).await;
    tenant.api.get(ADMIN).await.problem(403, "forbidden");
    let admin = stack.admin();
    let all = admin.get(ADMIN).await.expect(200);
    let mut seen = Vec::new();
    let mut page = admin.get(&format!("{ADMIN}?limit=1")).await.expect(200);
    loop {
        seen.extend(page["items"].as_array().expect("items").clone());
        let Some(token) = page["next_page_token"].as_str() else {
            break;
        };
        let path = format!("{ADMIN}?limit=1&page_token={token}");
        page = admin.get(&path).await.expect(200);
    }
    assert!(seen.len() >= 4, "{all}");
    let kids = |items: &[serde_json::Value]| -> Vec<_> {
        items.iter().map(|key| key["kid"].clone()).collect()
    };
    assert_eq!(kids(&seen), kids(all["items"].as_array().expect("items")));
    for key in &seen {
        assert!(key["age_seconds"].as_f64() >= Some(0.0), "{key}");
        assert!(key["public_jwk"]["x"].is_string(), "{key}");
        assert!(!key.to_string().contains("private"), "{key}");
    }
    let metrics = stack.api(None).get("/metrics").await;
    assert_eq!(metrics.status, StatusCode::OK);
    for purpose in Purpose::ALL {
        let line = format!("key_version_age_seconds{{kind=\"{purpose}\"}} ");
        assert!(metrics.text.contains(&line), "no {line}");
    }
    let key = stack.env("BERTH_ADMIN_KEY");
    let listed = stack
        .berth(&["signing-key", "list", "--admin-key", key])
        .await;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.contains("terminal_signer") && listed.contains("active"),
        "{listed}"
    );
}
