//! A database of a test's own, with the schema and nothing in it, beside that of the shared stack.

use std::path::Path;
use std::sync::Arc;

use activities::partition::Partitions;
use contract::partition::TableInput;
use db::PgPool;
use domain::data_growth::Guarded;
use domain::id::{EventId, MaintenanceId};
use platform::kms::{Keyring, Kms, LocalKms};
use platform::objects::Objects;
use platform::sealing::Sealer;
use platform::settings::ObjectSettings;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use crate::stack::{Stack, stack};

#[derive(Debug)]
pub struct Scratch {
    name: String,
    /// As the role that owns the tables.
    pub owner: PgPool,
    /// As the role of the workers.
    pub worker: PgPool,
    /// As a superuser.
    pub root: PgPool,
    /// Its keyring, and its objects.
    pub dir: TempDir,
}

impl Scratch {
    pub async fn new() -> Self {
        let stack = stack().await;
        let name = format!("scratch_{}", fresh().simple());
        let root = pool(&as_role(stack, "postgres")).await;
        for sql in [
            format!("create database {name} owner berth_owner"),
            format!("grant connect on database {name} to berth_worker"),
        ] {
            execute(&root, sql).await;
        }
        let root = pool(address(stack, "postgres", &name).as_str()).await;
        for sql in [
            "alter schema public owner to berth_owner",
            "create extension if not exists btree_gist",
        ] {
            execute(&root, sql.to_owned()).await;
        }
        root.close().await;
        let scratch = Self::open(name, TempDir::new().expect("a folder")).await;
        db::MIGRATOR.run(&scratch.owner).await.expect("a schema");
        scratch
    }

    async fn open(name: String, dir: TempDir) -> Self {
        let stack = stack().await;
        let of = async |role| pool(address(stack, role, &name).as_str()).await;
        Self {
            owner: of("berth_owner").await,
            worker: of("berth_worker").await,
            root: of("postgres").await,
            name,
            dir,
        }
    }

    /// Makes this one the pattern of others: nobody may be connected to what is copied.
    pub async fn into_pattern(self) -> Pattern {
        for pool in [&self.owner, &self.worker, &self.root] {
            pool.close().await;
        }
        Pattern {
            name: self.name,
            dir: self.dir,
        }
    }

    /// Where one of the roles finds it.
    pub async fn address(&self, role: &str) -> Url {
        address(stack().await, role, &self.name)
    }

    /// Of those that are large, or many.
    pub async fn drop_database(self) {
        let root = pool(&as_role(stack().await, "postgres")).await;
        execute(&root, format!("drop database {} with (force)", self.name)).await;
    }

    /// The steps of the maintenance, on this database.
    pub fn steps(&self) -> Partitions {
        self.steps_with(&folder_of(self.dir.path()))
    }

    /// The same with another object store.
    pub fn steps_with(&self, objects: &ObjectSettings) -> Partitions {
        steps(
            self.worker.clone(),
            self.owner.clone(),
            self.dir.path(),
            objects,
        )
    }

    /// Sets a policy of the platform's.
    pub async fn set(&self, policy: &str, value: i64) {
        sqlx::query(
            "insert into policy_values (key, scope_kind, scope_id, value, updated_by)
             select $1, 'platform', nobody, to_jsonb($2), nobody
             from (values ('00000000-0000-0000-0000-000000000000'::uuid)) as v (nobody)",
        )
        .bind(policy)
        .bind(value)
        .execute(&self.root)
        .await
        .expect("a policy");
    }

    pub async fn now(&self) -> time::OffsetDateTime {
        let mut conn = self.worker.acquire().await.expect("a connection");
        db::clock::now(&mut conn).await.expect("the time")
    }

    /// An event of that instant, handed on or not.
    pub async fn event_at(&self, at: time::OffsetDateTime, published: bool) -> Uuid {
        let id = id_at(at);
        sqlx::query(
            "insert into outbox_events (id, created_at, type, aggregate_kind, aggregate_id, seq, data, published_at)
             values ($1, uuid_v7_at($1), 'berth.test.thing.made', 'thing', $1, 1, '{}', case when $2 then now() end)",
        )
        .bind(id)
        .bind(published)
        .execute(&self.worker)
        .await
        .expect("an event");
        id
    }

    pub async fn publish(&self, id: Uuid) {
        sqlx::query("update outbox_events set published_at = now() where id = $1")
            .bind(id)
            .execute(&self.worker)
            .await
            .expect("an event");
    }

    /// Rows of usage at these instants, one each.
    pub async fn use_at(&self, instants: &[time::OffsetDateTime]) {
        let ids: Vec<Uuid> = instants.iter().map(|at| id_at(*at)).collect();
        insert(&self.worker, &ids).await;
    }
}

/// Databases that are made of it have its rows and its keys.
#[derive(Debug)]
pub struct Pattern {
    name: String,
    dir: TempDir,
}

impl Pattern {
    pub async fn make(&self) -> Scratch {
        let name = format!("scratch_{}", fresh().simple());
        let root = pool(&as_role(stack().await, "postgres")).await;
        for sql in [
            format!(
                "create database {name} owner berth_owner template {}",
                self.name
            ),
            // Rights on a database are not copied with it.
            format!("grant connect on database {name} to berth_worker"),
        ] {
            execute(&root, sql).await;
        }
        root.close().await;
        let dir = TempDir::new().expect("a folder");
        let (from, to) = (self.dir.path().join("keyring"), dir.path().join("keyring"));
        Keyring::open_or_create(&to).expect("a keyring");
        for file in std::fs::read_dir(from).expect("a folder") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
        }
        Scratch::open(name, dir).await
    }
}

/// Objects in a test's folder.
pub fn folder_of(dir: &Path) -> ObjectSettings {
    ObjectSettings::Folder(dir.join("objects"))
}

/// The steps of the maintenance, with the keys of a test's folder.
pub fn steps(pool: PgPool, owner: PgPool, dir: &Path, objects: &ObjectSettings) -> Partitions {
    let keyring = Keyring::open_or_create(&dir.join("keyring"));
    let kms = LocalKms::open(keyring.expect("a keyring")).expect("keysets");
    let sealer = Sealer::new(Arc::new(Kms::Local(kms)));
    Partitions {
        signer: api::signing_keys::signer(&pool, &sealer),
        objects: Objects::open(objects).expect("a store"),
        pool,
        owner,
    }
}

fn address(stack: &Stack, role: &str, database: &str) -> Url {
    let mut url: Url = as_role(stack, role).parse().expect("a URL");
    url.set_path(database);
    url
}

pub fn input(table: Guarded) -> TableInput {
    TableInput {
        maintenance_id: MaintenanceId::from_uuid(Uuid::nil()),
        table,
    }
}

/// An id of this moment.
pub fn fresh() -> Uuid {
    db::id::fresh::<EventId>().uuid()
}

/// An id of that millisecond.
pub fn id_at(at: time::OffsetDateTime) -> Uuid {
    let seconds = u64::try_from(at.unix_timestamp()).expect("after 1970");
    let millis = u32::from(at.millisecond()) * 1_000_000;
    let context = uuid::ContextV7::new();
    Uuid::new_v7(uuid::Timestamp::from_unix(&context, seconds, millis))
}

/// Rows of usage with these ids, in one statement.
pub async fn insert(pool: &PgPool, ids: &[Uuid]) {
    sqlx::query(
        "insert into usage_records (id, created_at, epoch, org_id, project_id, allocation_id, interval_id,
                                    meter, sku, quantity, started_at, ended_at)
         select id, uuid_v7_at(id), 1, id, id, id, id, 'gpu_seconds', 'none', 1, '2001-01-01', '2001-01-02'
         from unnest($1::uuid[]) as made (id)",
    )
    .bind(ids)
    .execute(pool)
    .await
    .expect("rows");
}

pub async fn pool(url: &str) -> PgPool {
    let options = PgPoolOptions::new().max_connections(12);
    options.connect(url).await.expect("a database")
}

pub async fn execute(pool: &PgPool, sql: String) {
    let sql = sqlx::AssertSqlSafe(sql);
    sqlx::raw_sql(sql).execute(pool).await.expect("a statement");
}

/// The database as one of its roles reaches it: the password is in the stack's memory.
pub fn as_role(stack: &Stack, role: &str) -> String {
    let pids = std::path::Path::new(stack.env("BERTH_PIDS_DIR"));
    let memory = pids.with_file_name("stack.json");
    let memory: serde_json::Value = std::fs::read(memory)
        .map(|bytes| serde_json::from_slice(&bytes).expect("JSON"))
        .expect("a local stack");
    let password = memory["passwords"][role].as_str().expect("a password");
    let mut url: Url = stack.env("DATABASE_URL").parse().expect("a URL");
    url.set_username(role).expect("a URL with a host");
    url.set_password(Some(password)).expect("a URL with a host");
    url.into()
}
