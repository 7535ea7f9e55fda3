//! What authentication does without a database: the router on a pool that can open nothing.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use domain::api_key::ApiKey;
use platform::settings::{KmsSettings, LogFormat, ObjectSettings, Settings};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::App;

const NOWHERE: &str = "127.0.0.1:1";

fn settings(keyring: &std::path::Path) -> Settings {
    Settings {
        database_url: format!("postgres://nobody@{NOWHERE}/none").into(),
        database_worker_url: None,
        database_owner_url: None,
        redis_url: format!("redis://{NOWHERE}").into(),
        nats_url: format!("nats://{NOWHERE}").into(),
        temporal_address: NOWHERE.to_owned(),
        temporal_namespace: "none".to_owned(),
        temporal_ui_url: None,
        api_listen: ([127, 0, 0, 1], 0).into(),
        trusted_proxy_cidrs: Vec::new(),
        api_replicas: 1,
        internal_listen: None,
        worker_metrics_listen: None,
        node_probe_allowed_cidrs: Vec::new(),
        internal_jwks_refresh_tokens: Vec::new(),
        payments_webhook_secrets: Vec::new(),
        keyring_dir: keyring.join("keyring"),
        ssh_weak_keys_dir: None,
        kms: KmsSettings::Keyring,
        objects: ObjectSettings::Folder(keyring.join("objects")),
        public_url: None,
        oidc: None,
        log_format: LogFormat::Text,
        log_filter: String::new(),
    }
}

fn me(key: &str) -> Request<Body> {
    Request::builder()
        .uri("/api/v1/me")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .body(Body::empty())
        .expect("a request")
}

#[tokio::test]
async fn ak_02_ten_thousand_wrong_checksums_cost_no_query() {
    let telemetry = platform::telemetry::init("test");
    let keyring = tempfile::tempdir().expect("a folder");
    let app = App::new(
        settings(keyring.path()),
        telemetry,
        CancellationToken::new(),
        String::new(),
    )
    .expect("an API starts without any server");
    let router = crate::router::build(&app, crate::routes::registry());
    let good = ApiKey::from_parts("abcdefghijkl", &"s".repeat(43))
        .expect("parts")
        .reveal();
    let (body, checksum) = good.split_at(good.len() - 6);
    for n in (0..10_001)
        .map(|n| format!("{n:06}"))
        .filter(|n| n != checksum)
    {
        let answer = router
            .clone()
            .oneshot(me(&format!("{body}{n}")))
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    // A well-formed key is looked up, which fails closed: nobody gets in without the database.
    let answer = router.oneshot(me(&good)).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}
