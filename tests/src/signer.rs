//! A process's share of Berth's signing, in this one: its own connections, its own copy of the keys.

use std::sync::Arc;

use platform::kms::{Keyring, Kms, LocalKms};
use platform::sealing::Sealer;
use platform::signing::Signer;
use platform::tickets::Tickets;
use secrecy::SecretString;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::stack::Stack;

/// What a role signs and verifies with.
#[derive(Debug)]
pub struct Party {
    /// With the rights of the API.
    pub pool: PgPool,
    pub signer: Signer,
    pub tickets: Tickets,
}

impl Party {
    pub async fn new(stack: &Stack) -> Self {
        let pool = role_pool(stack, "api").await;
        let keyring = Keyring::open_or_create(&stack.dir().join("data/keyring"));
        let kms = LocalKms::open(keyring.expect("a keyring")).expect("keysets");
        let sealer = Sealer::new(Arc::new(Kms::Local(kms)));
        let signer = api::signing_keys::signer(&pool, &sealer);
        let redis = SecretString::from(stack.env("REDIS_URL").to_owned());
        Self {
            tickets: Tickets::new(&redis, signer.clone()).expect("an address"),
            pool,
            signer,
        }
    }
}

/// Connections with the rights of one of the stack's roles.
pub async fn role_pool(stack: &Stack, role: &str) -> PgPool {
    let pid = stack.pid(role).expect("the stack runs one");
    let text = std::fs::read_to_string(format!("/proc/{pid}/environ")).expect("our own child");
    let value = |name: &str| {
        let mut lines = text.split('\0').filter_map(|line| line.split_once('='));
        lines
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    };
    let url = (role == "worker")
        .then(|| value("BERTH_DATABASE_WORKER_URL"))
        .flatten();
    let url = url.or_else(|| value("DATABASE_URL")).expect("its database");
    PgPoolOptions::new()
        .max_connections(8)
        .connect(url)
        .await
        .expect("the database answers")
}
