//! A real provider: its tokens on three replicas, with the bus up and with it down.

use serde_json::json;
use tests::identity_provider::CLIENT;
use tests::{IdentityProvider, Tenant, rough_stack};

use super::refresh::{acknowledged, another_minute, refresh, refused, three};
use super::{ME, link};

#[tokio::test(flavor = "multi_thread")]
async fn jwt_06_a_real_providers_keys_go_with_the_bus_up_and_down() {
    let (stack, provider) = (rough_stack().await, IdentityProvider::start().await);
    let tenant = Tenant::new(&stack).await;
    link(&stack, &provider.issuer, CLIENT, &tenant.user_id).await;
    let old = provider.token().await;
    let replicas = three(&stack, &provider.issuer, &old).await;
    another_minute(&stack, 4).await;
    let me = replicas[0].api(Some(&old)).get(ME).await.expect(200);
    assert_eq!(me["user"]["id"], *tenant.user_id);

    // New keys, at the same place: the old ones are gone.
    let provider = provider.restarted().await;
    let report = refresh(&stack, &replicas[0], &json!({})).await.expect(200);
    assert_eq!(
        (acknowledged(&report), &report["complete"]),
        (4, &json!(true)),
        "{report}"
    );
    refused(&replicas, &old, "invalid_credentials").await;
    let new = provider.token().await;
    for replica in &replicas {
        replica.api(Some(&new)).get(ME).await.expect(200);
    }

    // The same again, and nobody hears anybody.
    stack.control("stop", "nats").await;
    let provider = provider.restarted().await;
    let report = refresh(&stack, &replicas[1], &json!({})).await.expect(200);
    assert_eq!(
        (acknowledged(&report), &report["complete"]),
        (4, &json!(true)),
        "{report}"
    );
    refused(&replicas, &new, "invalid_credentials").await;
    let newest = provider.token().await;
    for replica in &replicas {
        replica.api(Some(&newest)).get(ME).await.expect(200);
    }
    let wish = json!({"revoke_kids": provider.key_ids().await});
    refresh(&stack, &replicas[2], &wish).await.expect(200);
    refused(&replicas, &newest, "credentials_revoked").await;
    stack.control("start", "nats").await;
}
