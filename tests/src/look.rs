//! Looking behind the API: what the database holds, what is left on a machine, what a workflow did.

use std::sync::Arc;
use std::time::Duration;

use domain::envelope::{DataKey, KeyVersion};
use nix::sys::signal::{Signal, kill};
use platform::kms::{Keyring, Kms, LocalKms};
use platform::payload::{self, Codec, Masters};
use serde_json::{Value, json};
use sqlx::Row;
use zeroize::Zeroizing;

use crate::api::Answer;
use crate::stack::{Stack, workspace};
use crate::wait::eventually;

const LIMIT: Duration = Duration::from_mins(1);

impl Stack {
    async fn count(&self, sql: &'static str, allocation: Option<&str>) -> i64 {
        let database = self.database().await;
        let id = allocation.map(|id| id.rsplit('_').next().unwrap_or_default().to_owned());
        sqlx::query_scalar(sql)
            .bind(id)
            .fetch_one(&database)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// GPUs that an allocation holds.
    pub async fn unreleased_gpus(&self, allocation: &str) -> i64 {
        let sql = "select count(*) from allocation_gpus
                   where allocation_id = $1::uuid and released_at is null";
        self.count(sql, Some(allocation)).await
    }

    /// GPUs held twice: never any.
    pub async fn double_holds(&self) -> i64 {
        let sql = "select count(*) from (select gpu_id from allocation_gpus
                   where released_at is null and $1::text is null
                   group by gpu_id having count(*) > 1) twice";
        self.count(sql, None).await
    }

    /// GPUs out of the pool.
    pub async fn gpus_not_free(&self) -> i64 {
        self.count(
            "select count(*) from gpus where state <> 'free' and $1::text is null",
            None,
        )
        .await
    }

    /// Fails the test unless nothing of the allocation is left: no GPU, no open usage, no open
    /// operation, and on every machine that it was given no account, process, key or device.
    pub async fn assert_clean(&self, allocation: &str) {
        assert_eq!(
            self.unreleased_gpus(allocation).await,
            0,
            "GPUs held by {allocation}"
        );
        let open = "select count(*) from usage_intervals
                    where allocation_id = $1::uuid and upper_inf(period)";
        assert_eq!(
            self.count(open, Some(allocation)).await,
            0,
            "usage open of {allocation}"
        );
        let open = "select count(*) from operations
                    where resource_id = $1::uuid and state in ('pending', 'running')";
        assert_eq!(
            self.count(open, Some(allocation)).await,
            0,
            "operations open of {allocation}"
        );
        let database = self.database().await;
        let id = allocation.rsplit('_').next().unwrap_or_default();
        let machines = sqlx::query(
            "select n.name, n.host, n.port, n.host_key,
                    (select array_agg('/dev/nvidia' || g.gpu_index) from allocation_gpus a
                     join gpus g on g.id = a.gpu_id
                     where a.allocation_id = an.allocation_id and a.attempt = an.attempt) as devices
             from allocation_nodes an join nodes n on n.id = an.node_id
             where an.allocation_id = $1::uuid",
        )
        .bind(id)
        .fetch_all(&database)
        .await
        .expect("the machines of an allocation");
        for machine in machines {
            let name: String = machine.get("name");
            let user = format!("t{}", &id[16..]);
            let left = self.root(&machine, &leftovers(&user)).await;
            assert_eq!(left.trim(), "", "left of {allocation} on {name}");
        }
    }

    /// Runs a script as root on a machine, over SSH with Berth's own CA.
    async fn root(&self, machine: &sqlx::postgres::PgRow, script: &str) -> String {
        let port = u16::try_from(machine.get::<i32, _>("port")).expect("a port");
        crate::shell::as_agent(
            &self.dir().join("data/keyring"),
            &machine.get::<String, _>("host"),
            port,
            &machine.get::<String, _>("host_key"),
            script,
        )
        .await
    }

    /// Sets a policy value for the whole platform.
    pub async fn policy(&self, key: &str, value: &Value) {
        let path = format!("/api/v1/admin/policies/{key}");
        let body = json!({"scope": "platform", "value": value});
        let answer = self.admin().put(&path, &body).await;
        assert!(answer.status.is_success(), "{}", answer.text);
    }

    /// Lets `act` ask for something, holds the worker at one step of the operation that comes of
    /// it, and kills the worker there.
    pub async fn with_step_held<F: Future<Output = Answer>>(
        &self,
        step: &str,
        act: impl FnOnce() -> F,
    ) -> Value {
        let worker = self.pid("worker").expect("a worker");
        kill(worker, Signal::SIGSTOP).expect("the worker is alive");
        let operation = act().await.expect(202);
        let id = operation["id"]
            .as_str()
            .expect("an id")
            .rsplit('_')
            .next()
            .unwrap_or_default();
        let database = self.database().await;
        let mut held = database.begin().await.expect("a transaction");
        let row = sqlx::query(
            "select 1 from operation_steps where operation_id = $1::uuid and name = $2 for update",
        )
        .bind(id)
        .bind(step)
        .fetch_optional(&mut *held)
        .await
        .expect("the step's row");
        assert!(row.is_some(), "step {step} was not announced: {operation}");
        let me: i32 = sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&mut *held)
            .await
            .expect("our backend");
        kill(worker, Signal::SIGCONT).expect("the worker is alive");
        eventually(&format!("the worker stands at {step}"), LIMIT, || async {
            let waits = sqlx::query_scalar::<_, bool>(
                "select exists (select from pg_locks
                 where not granted and $1 = any (pg_blocking_pids(pid)))",
            );
            waits
                .bind(me)
                .fetch_one(&database)
                .await
                .ok()?
                .then_some(())
        })
        .await;
        kill(worker, Signal::SIGKILL).expect("the worker is alive");
        held.rollback().await.expect("the lock is let go");
        eventually("another worker", LIMIT, || async {
            (self.pid("worker") != Some(worker) && self.alive("worker")).then_some(())
        })
        .await;
        operation
    }

    /// A client of the stack's Temporal.
    pub async fn temporal(&self) -> temporalio_client::Client {
        use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
        let address = format!("http://{}", self.env("BERTH_TEMPORAL_ADDRESS"));
        let options =
            ConnectionOptions::new(address.parse::<url::Url>().expect("an address")).build();
        let connection = Connection::connect(options)
            .await
            .expect("Temporal answers");
        let namespace = self.env("BERTH_TEMPORAL_NAMESPACE").to_owned();
        let mut options = ClientOptions::new(namespace).build();
        options.data_converter = self.codec().await.converter();
        Client::new(connection, options).expect("a client")
    }

    /// What the Cancel button of the Temporal UI does.
    pub async fn cancel_workflow(&self, workflow_id: &str) {
        use temporalio_client::{UntypedWorkflow, WorkflowCancelOptions};
        let client = self.temporal().await;
        let handle = client.get_workflow_handle::<UntypedWorkflow>(workflow_id);
        handle
            .cancel(WorkflowCancelOptions::default())
            .await
            .expect("it was running");
    }

    /// `/metrics` of the stack's worker.
    pub async fn worker_metrics(&self) -> String {
        self.metrics_of("worker").await
    }

    /// The same of the relay.
    pub async fn relay_metrics(&self) -> String {
        self.metrics_of("relay").await
    }

    async fn metrics_of(&self, role: &str) -> String {
        let environment = crate::replica::environment(self, role);
        let address = &environment["BERTH_WORKER_METRICS_LISTEN"];
        let api = crate::Api::new(&format!("http://{address}"), None);
        api.get("/metrics").await.text
    }

    /// Ends a workflow at once, as an operator does by mistake: none of its code runs.
    pub async fn terminate_workflow(&self, workflow_id: &str) {
        let client = self.temporal().await;
        client
            .get_workflow_handle::<temporalio_client::UntypedWorkflow>(workflow_id)
            .terminate(temporalio_client::WorkflowTerminateOptions::default())
            .await
            .expect("the workflow runs");
    }

    /// The codec of this stack's payloads: its keyring is beside it.
    pub async fn codec(&self) -> Codec {
        let keyring = Keyring::open_or_create(&self.dir().join("data/keyring"));
        let kms = Kms::Local(LocalKms::open(keyring.expect("a keyring")).expect("keysets"));
        let codec = Codec::open(Arc::new(kms), self.env("BERTH_TEMPORAL_NAMESPACE")).await;
        codec.expect("the stack has payload keys")
    }

    /// With `BERTH_RECORD_HISTORIES=1` keeps the history of a workflow's latest run under
    /// `tests/histories/`, where the replay test finds it.
    pub async fn record(&self, name: &str, workflow_id: &str) {
        self.record_run(name, workflow_id, None).await;
    }

    /// The same for a run that has a successor.
    #[expect(
        clippy::disallowed_methods,
        reason = "the harness has no settings file"
    )]
    pub async fn record_run(&self, name: &str, workflow_id: &str, run_id: Option<&str>) {
        let client = self.temporal().await;
        let history = worker::history::fetch(&client, workflow_id, run_id)
            .await
            .expect("a workflow has a history");
        if std::env::var("BERTH_RECORD_HISTORIES").is_ok() {
            let file = workspace()
                .join("tests/histories")
                .join(format!("{name}.json"));
            let sealed = seal_for_replay(&self.codec().await, &history);
            std::fs::write(file, sealed).expect("histories can be written");
        }
    }
}

/// The codec of recorded histories, whose key everybody knows.
pub fn replay_codec() -> Codec {
    let key = DataKey::from_bytes(Zeroizing::new(*b"the key of the recorded history."));
    let masters = Masters::new(KeyVersion::MIN, [(KeyVersion::MIN, key)].into());
    Codec::with("berth", masters.expect("the primary is there"))
}

/// A history with its payloads under the key of recorded histories.
pub fn seal_for_replay(from: &Codec, history: &str) -> String {
    let history = serde_json::from_str(history).expect("a history is JSON");
    let to = replay_codec();
    let sealed = payload::transcode(&history, &|payload| to.seal(&from.unseal(payload)?));
    format!("{}\n", sealed.expect("its payloads open"))
}

/// A script that prints whatever an account left behind; prints nothing when all is well.
fn leftovers(user: &str) -> String {
    format!(
        "id {user} 2>/dev/null
         ps -o user:32=,pid=,args= -e | grep '^{user} '
         ls -d /home/{user} /etc/ssh/principals/{user} 2>/dev/null
         find /dev -maxdepth 1 -name 'nvidia[0-9]*' \\( -user {user} -o -nouser \\) 2>/dev/null
         find /tmp /dev/shm /var/tmp -nouser 2>/dev/null
         true"
    )
}
