//! Runs that look after the tables that only grow.

use domain::data_growth::Guarded;
use domain::id::{ArchiveId, MaintenanceId, OperationId, UserId};
use domain::partition::{Outcome, Report, Task};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::data_growth::Sample;
use crate::error::{Result, parse};

/// One at a time.
pub const ONE_UNDER_WAY: &str = "maintenances_one_under_way";
/// How long samples of sizes are kept.
const SAMPLES_KEPT_DAYS: i32 = 400;
const TABLE: &str = "maintenances";

/// One run.
#[derive(Debug, Clone)]
pub struct Maintenance {
    pub id: MaintenanceId,
    pub task: Task,
    /// `None`: all tables.
    pub only: Option<Guarded>,
    /// What is brought back or read.
    pub archive_id: Option<ArchiveId>,
    pub reason: String,
    /// `None`: the schedule.
    pub requested_by: Option<UserId>,
    pub workflow_id: String,
    /// `None`: it is under way.
    pub outcome: Option<Outcome>,
    pub reports: Vec<Report>,
    pub operation_id: Option<OperationId>,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct NewMaintenance<'a> {
    pub id: MaintenanceId,
    pub task: Task,
    pub only: Option<Guarded>,
    pub archive_id: Option<ArchiveId>,
    pub reason: &'a str,
    pub requested_by: Option<UserId>,
    pub workflow_id: &'a str,
}

/// A second one under way is the constraint [`ONE_UNDER_WAY`].
pub async fn insert(conn: &mut PgConnection, new: NewMaintenance<'_>) -> Result<()> {
    sqlx::query!(
        "insert into maintenances (id, task, only_table, reason, requested_by, workflow_id, archive_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
        new.id.uuid(),
        new.task.as_str(),
        new.only.map(Guarded::as_str),
        new.reason,
        new.requested_by.map(UserId::uuid),
        new.workflow_id,
        new.archive_id.map(ArchiveId::uuid),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Runs, the latest first, from before `after`.
pub async fn list(
    conn: &mut PgConnection,
    id: Option<MaintenanceId>,
    after: Option<MaintenanceId>,
    limit: i64,
) -> Result<Vec<Maintenance>> {
    let rows = sqlx::query!(
        r#"select m.id, m.task, m.only_table, m.archive_id, m.reason, m.requested_by, m.workflow_id, m.outcome,
                  m.report as "report: Json<Vec<Report>>", m.version, m.created_at, m.updated_at, m.ended_at,
                  (select o.id from operations o where o.resource_id = m.id order by o.seq limit 1) as operation_id
           from maintenances m
           where ($1::uuid is null or m.id = $1) and ($2::uuid is null or m.id < $2)
           order by m.id desc limit $3"#,
        id.map(MaintenanceId::uuid),
        after.map(MaintenanceId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = MaintenanceId::from(row.id);
            let only = row.only_table.as_deref();
            let outcome = row.outcome.as_deref();
            Ok(Maintenance {
                id,
                task: parse(TABLE, "task", id, &row.task)?,
                only: only
                    .map(|name| parse(TABLE, "only_table", id, name))
                    .transpose()?,
                archive_id: row.archive_id.map(ArchiveId::from),
                reason: row.reason,
                requested_by: row.requested_by.map(UserId::from),
                workflow_id: row.workflow_id,
                outcome: outcome
                    .map(|text| parse(TABLE, "outcome", id, text))
                    .transpose()?,
                reports: row.report.0,
                operation_id: row.operation_id.map(OperationId::from),
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
                ended_at: row.ended_at,
            })
        })
        .collect()
}

pub async fn find(conn: &mut PgConnection, id: MaintenanceId) -> Result<Option<Maintenance>> {
    Ok(list(conn, Some(id), None, 1).await?.pop())
}

/// The run under way, and the id of its workflow.
pub async fn under_way(conn: &mut PgConnection) -> Result<Option<(MaintenanceId, String)>> {
    let row = sqlx::query!("select id, workflow_id from maintenances where ended_at is null")
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| (row.id.into(), row.workflow_id)))
}

/// Keeps every other run from beginning until the transaction ends.
pub async fn turn(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('berth.maintenance', 0))")
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends a run; one that has ended stays as it is, and is `false`.
pub async fn end(
    conn: &mut PgConnection,
    id: MaintenanceId,
    outcome: Outcome,
    reports: &[Report],
) -> Result<bool> {
    let done = sqlx::query!(
        "update maintenances set ended_at = clock_timestamp(), outcome = $2, report = $3
         where id = $1 and ended_at is null",
        id.uuid(),
        outcome.as_str(),
        Json(reports) as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Seconds since all tables were looked after, the last time that nothing failed. Where that never
/// was, since it began to be tried.
pub async fn age_seconds(conn: &mut PgConnection) -> Result<f64> {
    let age = sqlx::query_scalar!(
        r#"select coalesce(extract(epoch from clock_timestamp() - coalesce(
                    max(ended_at) filter (where outcome = 'succeeded' and only_table is null), min(created_at))), 0)::float8 as "age!"
           from maintenances"#
    );
    Ok(age.fetch_one(conn).await?)
}

/// The last times that the audit log was proved.
#[derive(Debug, Clone, Copy)]
pub struct LastProof {
    /// How much was wrong, the last time or the last time that archives were read.
    pub findings: i64,
    /// How long ago; where it never was, since there is something signed to prove it by.
    pub age_seconds: f64,
}

pub async fn last_proof(conn: &mut PgConnection) -> Result<LastProof> {
    let proof = sqlx::query_as!(
        LastProof,
        r#"with proofs as (
             select m.task, m.ended_at, (r -> 'audit' ->> 'finding_count')::bigint as findings
             from maintenances m, jsonb_array_elements(m.report) as r
             where m.ended_at is not null and r ? 'audit')
           select greatest(
                    (select findings from proofs order by ended_at desc limit 1),
                    (select findings from proofs where task = 'audit' order by ended_at desc limit 1), 0) as "findings!",
                  coalesce(extract(epoch from clock_timestamp() - coalesce(
                    (select max(ended_at) from proofs), (select min(created_at) from audit_checkpoints))), 0)::float8 as "age_seconds!""#
    );
    Ok(proof.fetch_one(conn).await?)
}

/// Keeps how large a table is, for its growth to be told.
pub async fn keep_sample(conn: &mut PgConnection, sample: &Sample) -> Result<()> {
    sqlx::query!(
        "insert into data_growth_samples (table_name, row_count, byte_count) values ($1, $2, $3)",
        sample.table.as_str(),
        sample.size.rows,
        sample.size.bytes,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from data_growth_samples
         where table_name = $1 and sampled_at < clock_timestamp() - make_interval(days => $2)",
        sample.table.as_str(),
        SAMPLES_KEPT_DAYS,
    )
    .execute(conn)
    .await?;
    Ok(())
}
