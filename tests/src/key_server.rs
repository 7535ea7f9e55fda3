//! An issuer whose keys a test turns: discovery document and key set over HTTP, and tokens signed
//! by whatever key is wanted, published or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// What tokens of this issuer are for.
pub const AUDIENCE: &str = "https://api.example.test";

/// Ends with its value.
#[derive(Debug)]
pub struct KeyServer {
    pub issuer: String,
    shared: Arc<Shared>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    issuer: String,
    asked: AtomicUsize,
    state: Mutex<Standing>,
}

#[derive(Debug)]
struct Standing {
    keys: BTreeMap<String, EcdsaKeyPair>,
    published: BTreeSet<String>,
    max_age_seconds: u64,
    /// Answers instead of the key set.
    instead: Option<(u16, String)>,
}

impl KeyServer {
    /// With one key, `first`.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has ports");
        let issuer = format!("http://{}", listener.local_addr().expect("bound"));
        let shared = Arc::new(Shared {
            issuer: issuer.clone(),
            asked: AtomicUsize::new(0),
            state: Mutex::new(Standing {
                keys: BTreeMap::new(),
                published: BTreeSet::new(),
                max_age_seconds: 300,
                instead: None,
            }),
        });
        let router = axum::Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        let server = Self {
            issuer,
            shared,
            serving,
        };
        server.publish("first");
        server
    }

    fn state(&self) -> MutexGuard<'_, Standing> {
        let locked = self.shared.state.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes a key of this id, a fresh one if there is none yet.
    pub fn publish(&self, key_id: &str) {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
        let mut state = self.state();
        state.keys.entry(key_id.to_owned()).or_insert(key);
        state.published.insert(key_id.to_owned());
    }

    /// Publishes it no more; it still signs.
    pub fn remove(&self, key_id: &str) {
        self.state().published.remove(key_id);
    }

    pub fn set_max_age(&self, seconds: u64) {
        self.state().max_age_seconds = seconds;
    }

    /// Answers with this instead of the keys, until told otherwise.
    pub fn answer_instead(&self, answer: Option<(u16, &str)>) {
        self.state().instead = answer.map(|(status, body)| (status, body.to_owned()));
    }

    /// How often the keys were asked for.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// A good token for five minutes.
    pub fn token(&self, key_id: &str, subject: &str) -> String {
        self.token_with(key_id, subject, &json!({}))
    }

    /// The same with other claims.
    pub fn token_with(&self, key_id: &str, subject: &str, claims: &Value) -> String {
        let now = now();
        let mut all = json!({
            "iss": self.issuer, "aud": AUDIENCE, "sub": subject, "client_id": "test",
            "iat": now, "exp": now + 300, "jti": format!("{:032x}", rand::random::<u128>()),
        });
        for (name, value) in claims.as_object().expect("claims") {
            all[name] = value.clone();
        }
        self.sign(key_id, &all)
    }

    fn sign(&self, key_id: &str, claims: &Value) -> String {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": key_id});
        let [header, claims] =
            [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let state = self.state();
        let key = state.keys.get(key_id).expect("a key of this id");
        let signature = key.sign(&SystemRandom::new(), message.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.expect("a signature"));
        format!("{message}.{signature}")
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Seconds since 1970, as an issuer knows them.
#[expect(
    clippy::disallowed_methods,
    reason = "an issuer has a clock of its own"
)]
pub fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Response {
    let issuer = &shared.issuer;
    axum::Json(json!({"issuer": issuer, "jwks_uri": format!("{issuer}/jwks")})).into_response()
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Response {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((status, body)) = &state.instead {
        let status = StatusCode::from_u16(*status).expect("a status");
        let location = [(header::LOCATION, HeaderValue::from_static("/jwks?again"))];
        return (status, location, body.clone()).into_response();
    }
    let keys: Vec<Value> = state
        .published
        .iter()
        .map(|id| jwk(id, &state.keys[id]))
        .collect();
    let caching = format!("public, max-age={}", state.max_age_seconds);
    (
        [(header::CACHE_CONTROL, caching)],
        axum::Json(json!({ "keys": keys })),
    )
        .into_response()
}

fn jwk(id: &str, key: &EcdsaKeyPair) -> Value {
    let point = key.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
        "x": part(&point[1..33]), "y": part(&point[33..])})
}
