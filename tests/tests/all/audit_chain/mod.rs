//! The audit log's chain: nothing that was written down is changed, removed or put in between without
//! somebody seeing where.

mod archived;
mod sealing;
mod service;
mod signed;
mod tampering;

use activities::audit_chain::AuditChain;
use db::audit::{Actor, Entry, Outcome};
use domain::audit_chain::{Fault, Proof};
use domain::id::OrgId;
use serde_json::json;
use uuid::Uuid;

use tests::scratch::Scratch;

/// The sealer, on a database of a test's own.
fn chain(scratch: &Scratch) -> AuditChain {
    let steps = scratch.steps();
    AuditChain {
        pool: steps.pool,
        objects: steps.objects,
        signer: steps.signer,
    }
}

/// Writes an entry down as everybody does.
async fn write(conn: &mut db::PgConnection, org: Option<OrgId>, number: usize) {
    let resource = format!("thing_{number}");
    let entry = Entry {
        org_id: org,
        actor: Actor {
            kind: "workflow",
            id: "test",
            user_id: None,
        },
        action: "thing.make",
        resource_kind: "thing",
        resource_id: Some(&resource),
        outcome: Outcome::Allowed,
        reason: number.is_multiple_of(3).then_some("as \"asked\" für"),
        request_id: None,
        detail: &json!({"number": number, "list": [1.5, null, {"b": 1, "a": "ü"}]}),
    };
    db::audit::append(conn, entry).await.expect("an entry");
}

/// Entries of each of these organizations and of none, sealed.
async fn sealed(scratch: &Scratch, orgs: &[OrgId], each: usize) {
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    for number in 0..each {
        for org in orgs {
            write(&mut conn, Some(*org), number).await;
        }
        write(&mut conn, None, number).await;
    }
    drop(conn);
    chain(scratch).seal_all().await.expect("sealed");
}

async fn prove(scratch: &Scratch) -> Proof {
    let proof = scratch.steps().prove_chains(true).await;
    proof.expect("a look")
}

fn faults(proof: &Proof) -> Vec<Fault> {
    proof.findings.iter().map(|one| one.fault).collect()
}

async fn count(scratch: &Scratch, sql: &'static str) -> i64 {
    let count = sqlx::query_scalar(sql).fetch_one(&scratch.root);
    count.await.expect("a count")
}

/// What a superuser does who knows how to keep triggers from acting.
async fn by_force(scratch: &Scratch, sql: &str) {
    let sql = format!("begin; set local session_replication_role = replica; {sql}; commit");
    tests::scratch::execute(&scratch.root, sql).await;
}

fn org() -> OrgId {
    db::id::fresh::<OrgId>()
}

fn key(org: Option<OrgId>) -> Uuid {
    org.map_or(Uuid::nil(), OrgId::uuid)
}
