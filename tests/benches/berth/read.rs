//! `GET` of one allocation against a bare axum handler that reads the same row with sqlx.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use sqlx::{PgPool, Row};
use tests::{Api, Stack, Tenant};

const CALLERS: usize = 16;
const FOR: Duration = Duration::from_secs(4);
const ROUNDS: usize = 3;

pub(crate) async fn run(stack: &Stack, tenant: &Tenant) -> Vec<String> {
    let operation = tenant.create_allocation(stack, 1).await.expect(202);
    tenant
        .api
        .finished(&operation, Duration::from_mins(2))
        .await;
    let id = operation["resource"]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(16)
        .connect(stack.env("DATABASE_URL"))
        .await
        .expect("the database answers");
    let bare = serve_bare(pool).await;
    let (mut ours, mut floor) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        // Interleaved, so that a slow minute hits both.
        ours += rate(&tenant.api, &format!("/api/v1/allocations/{id}")).await;
        floor += rate(
            &Api::new(&bare, None),
            &format!("/{}", id.rsplit('_').next().unwrap_or_default()),
        )
        .await;
    }
    let rounds = ROUNDS as f64;
    println!("read: GET of one allocation, {CALLERS} callers, {ROUNDS} x {FOR:?} each");
    println!("berth                        {:9.0} /s", ours / rounds);
    println!("bare axum + sqlx             {:9.0} /s", floor / rounds);
    let release = tenant
        .api
        .delete(&format!("/api/v1/allocations/{id}"))
        .await
        .expect(202);
    tenant.api.finished(&release, Duration::from_mins(2)).await;
    vec![format!(
        "read: berth / bare axum + sqlx handler: {:.2}",
        ours / floor
    )]
}

async fn rate(api: &Api, path: &str) -> f64 {
    let (count, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (api, path, count) = (api.clone(), path.to_owned(), count.clone());
        callers.spawn(async move {
            while start.elapsed() < FOR {
                api.get(&path).await.expect(200);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    callers.join_all().await;
    count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

async fn serve_bare(pool: PgPool) -> String {
    async fn one(State(pool): State<PgPool>, Path(id): Path<uuid::Uuid>) -> Json<Value> {
        let row = sqlx::query(
            "select id, name, state, sku, gpu_count, labels from allocations where id = $1",
        )
        .bind(id)
        .fetch_one(&pool)
        .await
        .expect("the row is there");
        Json(json!({
            "id": row.get::<uuid::Uuid, _>("id"), "name": row.get::<String, _>("name"),
            "state": row.get::<String, _>("state"), "sku": row.get::<String, _>("sku"),
            "gpu_count": row.get::<i32, _>("gpu_count"), "labels": row.get::<Value, _>("labels"),
        }))
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().route("/{id}", get(one)).with_state(pool);
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}
