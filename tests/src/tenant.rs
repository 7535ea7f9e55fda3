//! Tenants of a test: an organization with an owner, a project and a key to log in with.

use rand::RngExt;
use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::shell::KeyPair;
use crate::stack::Stack;

/// One organization and its owner.
#[derive(Debug)]
pub struct Tenant {
    pub api: Api,
    pub key: String,
    pub org_id: String,
    pub user_id: String,
    pub project_id: String,
    pub ssh_key_id: String,
    pub keys: KeyPair,
}

impl Tenant {
    /// A fresh tenant. The organization and its owner's key are written as an installation's first
    /// ones are; the rest goes through the API.
    pub async fn new(stack: &Stack) -> Self {
        let key = random_key();
        let (org_id, user_id) = insert_owner(stack, "owner", &key).await;
        let api = stack.api(Some(&key.reveal()));
        let project = api
            .post("/api/v1/projects", &json!({"name": "main"}))
            .await
            .expect(201);
        let keys = KeyPair::generate().await;
        let wish = json!({"name": "laptop", "public_key": keys.public});
        let ssh_key = api.post("/api/v1/ssh-keys", &wish).await.expect(201);
        let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
        Self {
            api,
            key: key.reveal(),
            org_id,
            user_id,
            project_id: id(&project),
            ssh_key_id: id(&ssh_key),
            keys,
        }
    }

    /// Another person of the same organization, with this role.
    pub async fn colleague(&self, stack: &Stack, role: &str) -> Api {
        let key = random_key();
        insert_member(stack, &self.org_id, role, &key).await;
        stack.api(Some(&key.reveal()))
    }

    /// A sound body for `POST /allocations`, to be spoiled at will.
    pub fn allocation_body(&self, stack: &Stack, gpu_count: u32) -> Value {
        json!({
            "project_id": self.project_id,
            "sku": stack.env("BERTH_SKU"),
            "gpu_count": gpu_count,
            "name": "train",
            "ssh_key_ids": [self.ssh_key_id],
            "lease_seconds": 3600,
        })
    }

    pub async fn create_allocation(&self, stack: &Stack, gpu_count: u32) -> Answer {
        self.api
            .post(
                "/api/v1/allocations",
                &self.allocation_body(stack, gpu_count),
            )
            .await
    }

    pub async fn allocation(&self, id: &str) -> Value {
        self.api
            .get(&format!("/api/v1/allocations/{id}"))
            .await
            .expect(200)
    }
}

fn random_key() -> domain::api_key::ApiKey {
    use domain::api_key::ApiKey;
    let text = |digits: usize| {
        let mut random = rand::rng();
        (0..digits)
            .map(|_| char::from(random.sample(rand::distr::Alphanumeric)))
            .collect::<String>()
    };
    ApiKey::from_parts(
        &text(ApiKey::PUBLIC_ID_DIGITS),
        &text(ApiKey::SECRET_DIGITS),
    )
    .expect("drawn from the right digits")
}

async fn insert_owner(
    stack: &Stack,
    role: &str,
    key: &domain::api_key::ApiKey,
) -> (String, String) {
    let org: domain::id::OrgId = db::id::fresh();
    let slug = format!("t-{}", org.uuid().simple());
    sqlx::query("insert into organizations (id, name, slug) values ($1, 'Test', $2)")
        .bind(org.uuid())
        .bind(slug)
        .execute(&stack.database().await)
        .await
        .expect("an organization");
    let user = insert_member(stack, &org.to_string(), role, key).await;
    (org.to_string(), user)
}

async fn insert_member(
    stack: &Stack,
    org: &str,
    role: &str,
    key: &domain::api_key::ApiKey,
) -> String {
    let database = stack.database().await;
    let org: domain::id::OrgId = org.parse().expect("an organization's id");
    let user: domain::id::UserId = db::id::fresh();
    let id: domain::id::ApiKeyId = db::id::fresh();
    sqlx::query("insert into users (id, email, display_name) values ($1, $2, 'Tester')")
        .bind(user.uuid())
        .bind(format!("{}@example.test", user.uuid().simple()))
        .execute(&database)
        .await
        .expect("a user");
    sqlx::query("insert into memberships (org_id, user_id, role) values ($1, $2, $3)")
        .bind(org.uuid())
        .bind(user.uuid())
        .bind(role)
        .execute(&database)
        .await
        .expect("a membership");
    sqlx::query(
        "insert into api_keys (id, org_id, user_id, name, public_id, secret_sha256, expires_at)
         values ($1, $2, $3, 'test', $4, $5, now() + interval '1 day')",
    )
    .bind(id.uuid())
    .bind(org.uuid())
    .bind(user.uuid())
    .bind(key.public_id())
    .bind(key.secret_sha256().as_slice())
    .execute(&database)
    .await
    .expect("a key");
    user.to_string()
}
