//! What was used: records made from intervals, a window at a time, and rated as if it were billed.

use domain::billing::Bucket;
use domain::id::{OrgId, ProjectId};
use domain::money::Currency;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::Result;

/// What one statement recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metered {
    pub records: i64,
    /// Those of them that take something back.
    pub corrections: i64,
}

/// The count that tells what is known already. Until the transaction ends nobody fixes it: what is
/// recorded with it belongs to it.
pub async fn join_epoch(conn: &mut PgConnection) -> Result<i64> {
    Ok(
        sqlx::query_scalar!("select epoch from usage_clock for share")
            .fetch_one(conn)
            .await?,
    )
}

/// Ends an epoch: the answer is the last one whose records are all there. Waits for those who are
/// writing some.
pub async fn end_epoch(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"update usage_clock set epoch = epoch + 1 returning epoch - 1 as "epoch!""#
    )
    .fetch_one(conn)
    .await?)
}

/// Records what was used before `until` and is not recorded yet, of every interval, one record for each
/// day (UTC). Periods that were billed already are noted as late. What an interval
/// was recorded beyond its end, as it was closed at an instant that had passed, is taken back.
/// Repeating it records nothing.
pub async fn meter(conn: &mut PgConnection, until: OffsetDateTime) -> Result<Metered> {
    let epoch = join_epoch(&mut *conn).await?;
    let row = sqlx::query!(
        r#"with due as materialized (
             select id, org_id, project_id, allocation_id, meter, sku, quantity,
                    coalesce(metered_to, lower(period)) as from_at,
                    least(upper(period), greatest($1, metered_to, lower(period))) as to_at
             from usage_intervals
             where (upper_inf(period) or metered_to is distinct from upper(period))
               and lower(period) < $1
             order by id
             for update
           ), moved as (
             update usage_intervals i set metered_to = due.to_at from due
             where i.id = due.id and i.metered_to is distinct from due.to_at
           ), account as (
             insert into billing_accounts (org_id) select distinct org_id from due order by org_id
             on conflict do nothing
           ), recorded as (
             insert into usage_records (id, created_at, epoch, org_id, project_id, allocation_id,
                                        interval_id, meter, sku, quantity, started_at, ended_at)
             select record_id, uuid_v7_at(record_id), $2, org_id, project_id, allocation_id, id, meter, sku,
                    signed, started_at, ended_at
             from (select uuid_v7() as record_id, due.*,
                          case when from_at < to_at then quantity else -quantity end as signed,
                          greatest(day, least(from_at, to_at)) as started_at,
                          least(day + interval '24 hours', greatest(from_at, to_at)) as ended_at
                   from due
                   cross join lateral generate_series(
                     date_trunc('day', least(from_at, to_at), 'UTC'),
                     greatest(from_at, to_at) - interval '1 microsecond', interval '24 hours') as day
                   where from_at <> to_at) as fresh
             returning org_id, quantity, started_at, ended_at
           ), late as (
             insert into billing_late (org_id, period)
             select distinct c.org_id, c.period
             from recorded r join billing_claims c on c.org_id = r.org_id and c.revision = 0
               and c.period && tstzrange(r.started_at, r.ended_at)
             on conflict do nothing
           )
           select count(*) as "records!", count(*) filter (where quantity < 0) as "corrections!" from recorded"#,
        until,
        epoch,
    )
    .fetch_one(conn)
    .await?;
    Ok(Metered {
        records: row.records,
        corrections: row.corrections,
    })
}

/// What one project used of one SKU in one stretch, up to now.
#[derive(Debug, Clone)]
pub struct Used {
    pub started_at: OffsetDateTime,
    pub project_id: ProjectId,
    pub sku: String,
    pub meter: String,
    pub gpu_microseconds: i64,
    /// `None`: there was no price for some of it.
    pub amount_micros: Option<i64>,
}

/// Which use is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub start: OffsetDateTime,
    pub end: OffsetDateTime,
    pub bucket: Bucket,
    pub project: Option<ProjectId>,
}

/// Use of an organization by stretch, project and SKU, in that order, at the prices of the time.
pub async fn chart(
    conn: &mut PgConnection,
    org: OrgId,
    currency: Currency,
    window: Window,
) -> Result<Vec<Used>> {
    let bucket: &'static str = window.bucket.into();
    let rows = sqlx::query!(
        r#"with used as materialized (
             select project_id, sku, meter, quantity,
                    period * tstzrange($3, least($4, clock_timestamp())) as time
             from usage_intervals
             where org_id = $1 and ($6::uuid is null or project_id = $6)
               and lower(period) < $4 and (upper_inf(period) or upper(period) > $3)
           ), piece as (
             select at as started_at, project_id, sku, meter, quantity,
                    time * tstzrange(at, at + ('1 ' || $5)::interval) as time
             from used
             cross join lateral generate_series(
               date_trunc($5, lower(time), 'UTC'), upper(time) - interval '1 microsecond',
               ('1 ' || $5)::interval) as at
             where not isempty(time)
           ), total as (
             select started_at, project_id, sku, meter,
                    sum(quantity * microseconds(upper(time) - lower(time)))::bigint as used
             from piece where not isempty(time) group by 1, 2, 3, 4
           ), priced as (
             select w.started_at, w.project_id, w.sku, w.meter,
                    sum(w.quantity * microseconds(upper(cut) - lower(cut))) as used,
                    half_even(sum(w.quantity * microseconds(upper(cut) - lower(cut))::numeric
                                  * p.amount_micros_per_hour), 3600000000)::bigint as amount
             from piece w
             join prices p on p.sku = w.sku and p.currency = $2 and p.effective && w.time
             cross join lateral (select p.effective * w.time) as part (cut)
             group by 1, 2, 3, 4
           )
           select started_at as "started_at!", project_id as "project_id!", sku as "sku!", meter as "meter!",
                  t.used as "gpu_microseconds!",
                  case when p.used = t.used then p.amount end as amount
           from total t left join priced p using (started_at, project_id, sku, meter)
           order by started_at, project_id, sku, meter"#,
        org.uuid(),
        currency.code(),
        window.start,
        window.end,
        bucket,
        window.project.map(ProjectId::uuid),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Used {
            started_at: row.started_at,
            project_id: row.project_id.into(),
            sku: row.sku,
            meter: row.meter,
            gpu_microseconds: row.gpu_microseconds,
            amount_micros: row.amount,
        })
        .collect())
}
