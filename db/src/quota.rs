//! Quotas: GPUs of one SKU that an organization or a project may have together.

use domain::id::{AllocationId, OrgId, ProjectId, QuotaId, UserId};
use domain::quota::Usage;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::Result;

/// One limit, and what is used of it.
#[derive(Debug, Clone)]
pub struct Quota {
    pub id: QuotaId,
    pub org_id: OrgId,
    /// `None`: the whole organization's.
    pub project_id: Option<ProjectId>,
    pub sku: String,
    pub usage: Usage,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// Which allocations use up a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// All that were let in, also those that wait for capacity.
    Admitted,
    /// Those for which GPUs are reserved, and those that have them.
    Reserved,
}

/// Which quotas are asked for; all conditions hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    pub id: Option<QuotaId>,
    /// Those that bind this project: its own and its organization's.
    pub project: Option<ProjectId>,
}

/// Quotas that the transaction may see, by id, behind `after`.
pub async fn list(
    conn: &mut PgConnection,
    filter: Filter,
    after: Option<QuotaId>,
    limit: i64,
) -> Result<Vec<Quota>> {
    let rows = sqlx::query!(
        r#"select q.id, q.org_id, q.project_id, q.sku, q.gpus_max, q.version, q.created_at, q.updated_at,
                  (select coalesce(sum(a.gpu_count), 0) from allocations a
                   where a.org_id = q.org_id and a.sku = q.sku
                     and (q.project_id is null or a.project_id = q.project_id)
                     and a.state not in ('requested', 'released', 'failed')) as "gpus_used!"
           from quotas q
           where ($1::uuid is null or q.id = $1)
             and ($2::uuid is null or q.project_id = $2
                  or (q.project_id is null and q.org_id = (select org_id from projects where id = $2)))
             and ($3::uuid is null or q.id > $3)
           order by q.id limit $4"#,
        filter.id.map(QuotaId::uuid),
        filter.project.map(ProjectId::uuid),
        after.map(QuotaId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Quota {
            id: row.id.into(),
            org_id: row.org_id.into(),
            project_id: row.project_id.map(ProjectId::from),
            sku: row.sku,
            usage: Usage {
                gpus_max: row.gpus_max.into(),
                gpus_used: row.gpus_used,
            },
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
        .collect())
}

/// Writes one; the answer is its id.
pub async fn put(
    conn: &mut PgConnection,
    org: OrgId,
    project: Option<ProjectId>,
    sku: &str,
    gpus_max: i32,
    by: UserId,
) -> Result<QuotaId> {
    let id: QuotaId = crate::id::fresh();
    Ok(sqlx::query_scalar!(
        "insert into quotas (id, org_id, project_id, sku, gpus_max, updated_by)
         values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint quotas_one_each do update
         set gpus_max = excluded.gpus_max, updated_by = excluded.updated_by
         returning id",
        id.uuid(),
        org.uuid(),
        project.map(ProjectId::uuid),
        sku,
        gpus_max,
        by.uuid(),
    )
    .fetch_one(conn)
    .await?
    .into())
}

/// One, with what is used of it.
pub async fn get(conn: &mut PgConnection, id: QuotaId) -> Result<Option<Quota>> {
    let filter = Filter {
        id: Some(id),
        project: None,
    };
    Ok(list(conn, filter, None, 1).await?.pop())
}

/// Takes one away; whether there was one.
pub async fn delete(conn: &mut PgConnection, id: QuotaId) -> Result<bool> {
    let done = sqlx::query!("delete from quotas where id = $1", id.uuid())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Lets admissions of one organization's allocations of a SKU queue behind each other until commit.
pub async fn lock(conn: &mut PgConnection, org: OrgId, sku: &str) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('quota:' || $1::text || ':' || $2::text, 0))",
        org.uuid().to_string(),
        sku,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One limit that binds a project's allocations.
#[derive(Debug, Clone)]
pub struct Binding {
    /// `None`: the whole organization's.
    pub project_id: Option<ProjectId>,
    pub usage: Usage,
}

/// The quotas that bind a project's allocations of a SKU, the organization's first. `without` is
/// not counted.
pub async fn binding(
    conn: &mut PgConnection,
    org: OrgId,
    project: ProjectId,
    sku: &str,
    counting: Counting,
    without: Option<AllocationId>,
) -> Result<Vec<Binding>> {
    let rows = sqlx::query!(
        r#"select q.project_id, q.gpus_max,
                  (select coalesce(sum(a.gpu_count), 0) from allocations a
                   where a.org_id = q.org_id and a.sku = q.sku
                     and (q.project_id is null or a.project_id = q.project_id)
                     and a.state not in ('requested', 'released', 'failed')
                     and ($4 or a.state <> 'queued')
                     and a.id is distinct from $5) as "gpus_used!"
           from quotas q
           where q.org_id = $1 and (q.project_id is null or q.project_id = $2) and q.sku = $3
           order by q.project_id nulls first"#,
        org.uuid(),
        project.uuid(),
        sku,
        counting == Counting::Admitted,
        without.map(AllocationId::uuid),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Binding {
            project_id: row.project_id.map(ProjectId::from),
            usage: Usage {
                gpus_max: row.gpus_max.into(),
                gpus_used: row.gpus_used,
            },
        })
        .collect())
}
