//! Transit as the key service, against a real `OpenBao`: what its keys are bound to, and what is
//! said, kept and stored while it is sealed, hangs, or does not let us in.

use std::time::Duration;

use domain::envelope::{Binding, DataKey, KeyRef, Wrapped};
use platform::kms::{KeyName, Kms, KmsError, Transit};
use platform::settings::{TransitLogin, TransitSettings};
use serde_json::{Value, json};
use tests::{Api, Bao, Replica, Stack, Tenant, eventually, stack};
use zeroize::Zeroizing;

use crate::idle::hasty;

const LIMIT: Duration = Duration::from_secs(30);

fn settings(bao: &Bao, login: TransitLogin) -> TransitSettings {
    TransitSettings {
        address: bao.address.parse().expect("a URL"),
        mount: "transit".to_owned(),
        key: "berth".to_owned(),
        namespace: None,
        login,
    }
}

async fn kms(bao: &Bao) -> Kms {
    let file = bao.file("token", &bao.token("1h", true).await);
    Kms::Transit(Transit::new(&settings(bao, TransitLogin::TokenFile(file))).expect("a client"))
}

fn key() -> DataKey {
    DataKey::from_bytes(Zeroizing::new([7; 32]))
}

fn at(row: &str) -> Binding {
    Binding::of(&["berth", "org", "table", "column", row])
}

async fn wrap(kms: &Kms) -> Wrapped {
    let wrapped = kms.wrap(KeyName::Columns, &key(), &at("1")).await;
    wrapped.expect("it wraps")
}

#[tokio::test(flavor = "multi_thread")]
async fn env_03_a_wrapped_key_opens_for_its_place_alone() {
    let bao = Bao::start().await;
    let kms = kms(&bao).await;
    let first = wrap(&kms).await;
    assert!(first.edk.starts_with(b"vault:v1:") && first.key.version.get() == 1);
    let unwrap = async |key: &KeyRef, edk: &[u8], row| kms.unwrap(key, edk, &at(row)).await;
    let opened = unwrap(&first.key, &first.edk, "1")
        .await
        .expect("its place");
    assert_eq!(opened.expose(), key().expose());
    let elsewhere = unwrap(&first.key, &first.edk, "2").await;
    assert!(
        matches!(elsewhere, Err(KmsError::Refused)),
        "{:?}",
        elsewhere.err()
    );
    let mut changed = first.edk.clone();
    let last = changed.len() - 3;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let changed = unwrap(&first.key, &changed, "1").await;
    assert!(
        matches!(changed, Err(KmsError::Refused)),
        "{:?}",
        changed.err()
    );
    let mut other = first.key.clone();
    other.id = "payload".parse().expect("a name");
    // Nor may Berth unwrap with it at all: it is for payloads.
    assert!(unwrap(&other, &first.edk, "1").await.is_err());

    // A newer version wraps, the older still opens; until the server is told that it must not.
    bao.root("transit/keys/berth-cp-main/rotate", json!({}))
        .await;
    let second = wrap(&kms).await;
    assert_eq!(second.key.version.get(), 2);
    assert!(unwrap(&first.key, &first.edk, "1").await.is_ok());
    // A version that the text does not have is a lie.
    let lie = unwrap(&second.key, &first.edk, "1").await;
    assert!(matches!(lie, Err(KmsError::Refused)));
    let config = json!({"min_decryption_version": 2});
    bao.root("transit/keys/berth-cp-main/config", config).await;
    let retired = unwrap(&first.key, &first.edk, "1").await;
    assert!(
        matches!(retired, Err(KmsError::UnknownVersion)),
        "{:?}",
        retired.err()
    );
}

/// What the committed policy lets Berth do, and nothing beside it.
#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_the_least_that_works() {
    let bao = Bao::start().await;
    assert!(kms(&bao).await.check().await.is_ok());
    let token = bao.token("1h", true).await;
    for path in [
        "transit/keys/berth-cp-main/rotate",
        "transit/keys/berth-cp-main/config",
        "transit/keys/berth-other",
        "transit/encrypt/berth-other",
        "transit/datakey/plaintext/berth-cp-main",
        "auth/token/create",
        "sys/seal",
    ] {
        let wish = json!({"plaintext": "", "context": ""});
        let (status, answer) = bao.ask(&token, path, wish).await;
        assert_eq!(status, 403, "{path}: {answer}");
    }
}

/// An app role logs in, and again when its token was taken away.
#[tokio::test(flavor = "multi_thread")]
async fn an_approle_logs_in_again_when_its_token_was_revoked() {
    let bao = Bao::start().await;
    bao.root("sys/auth/approle", json!({"type": "approle"}))
        .await;
    let role =
        json!({"token_policies": ["berth"], "token_no_default_policy": true, "token_ttl": "1h"});
    bao.root("auth/approle/role/berth", role).await;
    bao.root(
        "auth/approle/role/berth/role-id",
        json!({"role_id": "berth"}),
    )
    .await;
    let secret = bao
        .root("auth/approle/role/berth/secret-id", json!({}))
        .await;
    let secret_id = secret["data"]["secret_id"].as_str().expect("a secret id");
    let login = TransitLogin::AppRole {
        role_id: "berth".to_owned(),
        secret_id_file: bao.file("secret-id", secret_id),
    };
    let kms = Kms::Transit(Transit::new(&settings(&bao, login)).expect("a client"));
    wrap(&kms).await;
    let tokens = bao
        .root("sys/leases/revoke-prefix/auth/approle", json!({}))
        .await;
    assert_eq!(tokens, Value::Null);
    wrap(&kms).await;
}

/// A token lives on beyond its first life, because it is renewed.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_at_two_thirds_of_its_life() {
    let bao = Bao::start().await;
    let token = bao.token("3s", true).await;
    let file = bao.file("token", &token);
    let login = TransitLogin::TokenFile(file);
    let _kms = Transit::new(&settings(&bao, login)).expect("a client");
    let lookup =
        async || bao.root("auth/token/lookup", json!({"token": token})).await["data"].clone();
    let born = lookup().await["creation_time"].as_u64().expect("seconds");
    eventually("it is older than two lives", LIMIT, || async {
        let found = lookup().await;
        let renewed = found["last_renewal_time"].as_u64()?;
        (renewed >= born + 6).then_some(())
    })
    .await;
}

/// A replica whose key service is this one, with an API key of the tenant's.
async fn replica(stack: &Stack, bao: &Bao, file: &std::path::Path) -> Replica {
    let changes = [
        ("BERTH_KMS", "transit"),
        ("BERTH_TRANSIT_ADDRESS", bao.address.as_str()),
        ("BERTH_TRANSIT_TOKEN_FILE", file.to_str().expect("a path")),
    ];
    Replica::start(stack, &changes).await
}

async fn said_of_kms(api: &Api) -> (Value, Value) {
    let ready = api.get("/readyz").await.expect(200);
    (
        ready["dependencies"]["kms"].clone(),
        ready["degraded"].clone(),
    )
}

async fn says(api: &Api, wanted: &str) {
    eventually("the readiness says so", LIMIT, || async {
        let (kms, degraded) = said_of_kms(api).await;
        let found = kms.as_str().is_some_and(|kms| kms.contains(wanted));
        (found && degraded == Value::Bool(wanted != "ok")).then_some(())
    })
    .await;
}

/// What a tenant meets while the key service is not there: what needs it is refused for now and
/// leaves nothing, what does not need it works, and the very same request works later.
struct Outage<'a> {
    stack: &'a Stack,
    tenant: &'a Tenant,
    api: Api,
    body: Value,
}

impl<'a> Outage<'a> {
    async fn of(stack: &'a Stack, tenant: &'a Tenant, replica: &Replica) -> Self {
        let mut body = hasty(stack, tenant).await;
        body["scheduler_request"] = json!({"partition": "canary-71f0"});
        let api = tenant.api.at(&replica.base);
        Self {
            stack,
            tenant,
            api,
            body,
        }
    }

    async fn count(&self) -> i64 {
        let org: domain::id::OrgId = self.tenant.org_id.parse().expect("an id");
        sqlx::query_scalar("select count(*) from allocations where org_id = $1")
            .bind(org.uuid())
            .fetch_one(&self.stack.database().await)
            .await
            .expect("the database counts")
    }

    async fn refused(&self, key: &str) {
        let before = self.count().await;
        let answer = self
            .api
            .post_as(key, "/api/v1/allocations", &self.body)
            .await;
        let problem = answer.problem(503, "unavailable");
        assert_eq!(problem["retry"], "same_key");
        assert_eq!(self.count().await, before);
        let plain = hasty(self.stack, self.tenant).await;
        self.api
            .post("/api/v1/allocations", &plain)
            .await
            .expect(202);
    }

    /// The same request is accepted now; what it said can be read, and stands nowhere in clear.
    async fn accepted(&self, key: &str) -> String {
        let id = eventually("the same request is accepted", LIMIT, || async {
            let answer = self
                .api
                .post_as(key, "/api/v1/allocations", &self.body)
                .await;
            (answer.status == 202).then(|| answer.json()["resource"]["id"].clone())
        })
        .await;
        let id = id.as_str().expect("an id").to_owned();
        let read = self
            .api
            .get(&format!("/api/v1/allocations/{id}"))
            .await
            .expect(200);
        assert_eq!(read["scheduler_request"], self.body["scheduler_request"]);
        let row: domain::id::AllocationId = id.parse().expect("an id");
        let kept: Value =
            sqlx::query_scalar("select scheduler_metadata from allocations where id = $1")
                .bind(row.uuid())
                .fetch_one(&self.stack.database().await)
                .await
                .expect("the row");
        assert_eq!(kept["scheduler_request_enc"]["kp"], "transit");
        assert!(!kept.to_string().contains("canary-71f0"));
        id
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn env_11_a_sealed_key_service_refuses_for_now_and_recovers() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let bao = Bao::start().await;
    let file = bao.file("token", &bao.token("1h", true).await);
    let (one, two) = (
        replica(stack, &bao, &file).await,
        replica(stack, &bao, &file).await,
    );
    let anybody = one.api(None);
    says(&anybody, "ok").await;
    let outage = Outage::of(stack, &tenant, &one).await;
    let known = outage.accepted("before").await;
    let path = format!("/api/v1/allocations/{known}");

    bao.seal().await;
    says(&anybody, "sealed").await;
    outage.refused("during").await;
    // What this process has just read it still has; another one has not.
    outage.api.get(&path).await.expect(200);
    let elsewhere = tenant.api.at(&two.base);
    elsewhere.get(&path).await.problem(503, "unavailable");

    bao.unseal().await;
    says(&anybody, "ok").await;
    outage.accepted("during").await;
    elsewhere.get(&path).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn env_11_a_key_service_that_hangs_is_not_waited_for() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let bao = Bao::start().await;
    let file = bao.file("token", &bao.token("1h", true).await);
    let replica = replica(stack, &bao, &file).await;
    let anybody = replica.api(None);
    says(&anybody, "ok").await;
    let outage = Outage::of(stack, &tenant, &replica).await;
    bao.freeze();
    says(&anybody, "in time").await;
    outage.refused("while-it-hangs").await;
    bao.thaw();
    says(&anybody, "ok").await;
    outage.accepted("while-it-hangs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn env_11_a_revoked_token_is_named_and_replaced_without_a_restart() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let bao = Bao::start().await;
    let token = bao.token("1h", true).await;
    let file = bao.file("token", &token);
    let replica = replica(stack, &bao, &file).await;
    let anybody = replica.api(None);
    says(&anybody, "ok").await;
    let outage = Outage::of(stack, &tenant, &replica).await;
    bao.root("auth/token/revoke", json!({"token": token})).await;
    says(&anybody, "its token has expired or was revoked").await;
    outage.refused("with-a-dead-token").await;
    bao.file("token", &bao.token("1h", true).await);
    says(&anybody, "ok").await;
    outage.accepted("with-a-dead-token").await;
}

/// A token that ends by itself and cannot be renewed.
#[tokio::test(flavor = "multi_thread")]
async fn env_11_an_expired_token_is_named() {
    let stack = stack().await;
    let bao = Bao::start().await;
    let file = bao.file("token", &bao.token("2s", false).await);
    let replica = replica(stack, &bao, &file).await;
    says(&replica.api(None), "its token has expired or was revoked").await;
}
