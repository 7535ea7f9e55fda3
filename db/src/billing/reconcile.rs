//! Compares what is kept in several places. Each comparison writes what it finds in place of what an
//! earlier try of it found; nothing else is changed.

use domain::id::{OrgId, ReconciliationId};
use domain::reconciliation::Comparison;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Result, one_row, parse};

/// Findings of one comparison that are kept; one is enough to call people.
const MOST: i64 = 1_000;
/// For how long a machine may go unseen, or a fault untold, before its use is in doubt.
const DOUBT_SECONDS: f64 = 900.0;

/// A comparison of everything, and what came of it.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    pub id: ReconciliationId,
    pub since: OffsetDateTime,
    pub findings: i64,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
}

/// Where two places differ.
#[derive(Debug, Clone)]
pub struct Finding {
    pub id: i64,
    pub comparison: Comparison,
    /// Stable code of what differs.
    pub code: String,
    pub org_id: Option<OrgId>,
    /// The row that is in doubt.
    pub subject: String,
    pub expected: String,
    pub found: String,
}

/// Begins one for a run of the workflow; the same one each time.
pub async fn open(
    conn: &mut PgConnection,
    run_id: &str,
    since: OffsetDateTime,
) -> Result<ReconciliationId> {
    let id: ReconciliationId = crate::id::fresh();
    sqlx::query!(
        "insert into reconciliations (id, workflow_run_id, since) values ($1, $2, $3)
         on conflict on constraint reconciliations_once do nothing",
        id.uuid(),
        run_id,
        since,
    )
    .execute(&mut *conn)
    .await?;
    let id = sqlx::query_scalar!(
        "select id from reconciliations where workflow_run_id = $1",
        run_id
    )
    .fetch_one(conn)
    .await?;
    Ok(id.into())
}

pub async fn close(conn: &mut PgConnection, id: ReconciliationId) -> Result<()> {
    let done = sqlx::query!(
        "update reconciliations set ended_at = coalesce(ended_at, clock_timestamp()) where id = $1",
        id.uuid()
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Compares, and writes what it finds; how much that is.
pub async fn compare(
    conn: &mut PgConnection,
    id: ReconciliationId,
    comparison: Comparison,
) -> Result<u64> {
    let known = list(&mut *conn, Some(id), None, 1).await?.pop();
    let since = known.map_or(OffsetDateTime::UNIX_EPOCH, |known| known.since);
    // Less than the step may take: what is given up is not left running beside the next try.
    sqlx::query!("select set_config('statement_timeout', '8min', true)")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query!(
        "delete from reconciliation_findings where reconciliation_id = $1 and comparison = $2",
        id.uuid(),
        <&str>::from(comparison),
    )
    .execute(&mut *conn)
    .await?;
    crate::partition::keep_still(&mut *conn).await?;
    match comparison {
        Comparison::Usage => usage(conn, id, since).await,
        Comparison::Lines => lines(conn, id, since).await,
        Comparison::Ledger => ledger(conn, id, since).await,
        Comparison::Machines => machines(conn, id).await,
    }
}

/// Intervals and the records made of them, in GPU microseconds.
async fn usage(
    conn: &mut PgConnection,
    id: ReconciliationId,
    since: OffsetDateTime,
) -> Result<u64> {
    let done = sqlx::query!(
        "with recorded as (
           select interval_id, sum(quantity * microseconds(ended_at - started_at)) as used
           from usage_records
           where started_at >= least($2::timestamptz, (select min(lower(period)) from usage_intervals
                                                       where upper_inf(period) or upper(period) >= $2)) - interval '1 day'
           group by interval_id
         ), all_recorded as (
           select interval_id, sum(used) as used
           from (select interval_id, used from recorded
                 union all
                 select u.interval_id, u.used_microseconds from archived_usage u
                 join archived_partitions a on a.id = u.archive_id) as both_kept
           group by interval_id
         )
         insert into reconciliation_findings (reconciliation_id, comparison, code, org_id, subject, expected, found)
         select $1, 'usage', 'records_differ_from_interval', i.org_id, i.id::text,
                (i.quantity * microseconds(i.metered_to - lower(i.period)))::text, coalesce(r.used, 0)::text
         from usage_intervals i left join all_recorded r on r.interval_id = i.id
         where i.metered_to is not null and (upper_inf(i.period) or upper(i.period) >= $2)
           and coalesce(r.used, 0) <> i.quantity * microseconds(i.metered_to - lower(i.period))
         order by i.id limit $3",
        id.uuid(),
        since,
        MOST,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Records that a bill knew of and the lines made of them, in GPU microseconds.
async fn lines(
    conn: &mut PgConnection,
    id: ReconciliationId,
    since: OffsetDateTime,
) -> Result<u64> {
    let done = sqlx::query!(
        "with latest as (
           select distinct on (org_id, period) id, org_id, period, epoch, invoice_id
           from billing_claims
           where created_at >= $2
             -- Records that are in archives alone cannot be compared.
             and lower(period) >= coalesce((select max(until) from archived_partitions where table_name = 'usage_records'), '-infinity')
           order by org_id, period, revision desc
         ), used as (
           select l.id, sum(r.quantity * microseconds(least(r.ended_at, upper(l.period)) - greatest(r.started_at, lower(l.period)))) as used
           from latest l join usage_records r
             on r.org_id = l.org_id and r.epoch <= l.epoch and r.started_at < upper(l.period)
            and r.started_at > lower(l.period) - interval '24 hours' and r.ended_at > lower(l.period)
           group by l.id
         ), billed as (
           select l.id, sum(i.gpu_microseconds) as billed
           from latest l join invoice_lines i on i.invoice_id = l.invoice_id group by l.id
         )
         insert into reconciliation_findings (reconciliation_id, comparison, code, org_id, subject, expected, found)
         select $1, 'lines', 'lines_differ_from_records', l.org_id, coalesce(l.invoice_id, l.id)::text,
                coalesce(u.used, 0)::text, coalesce(b.billed, 0)::text
         from latest l left join used u on u.id = l.id left join billed b on b.id = l.id
         where coalesce(u.used, 0) <> coalesce(b.billed, 0)
         order by l.id limit $3",
        id.uuid(),
        since,
        MOST,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Invoices, their lines, what was moved for them, and balances, in micros.
async fn ledger(
    conn: &mut PgConnection,
    id: ReconciliationId,
    since: OffsetDateTime,
) -> Result<u64> {
    let done = sqlx::query!(
        "with recent as (
           select * from invoices
           where issued_at >= greatest($2, (select max(until) from archived_partitions where table_name = 'ledger_entries'))
         ), itemized as (
           select l.invoice_id, sum(l.amount_micros) as amount
           from invoice_lines l join recent i on i.id = l.invoice_id group by l.invoice_id
         ), moved as (
           select i.id, sum(e.amount_micros) as amount
           from recent i join ledger_entries e on e.transaction_id = i.transaction_id and e.account = 'receivable'
           group by i.id
         ), unequal as (
           select transaction_id, org_id, currency, sum(amount_micros) as amount from ledger_entries
           where transaction_id >= $3 group by transaction_id, org_id, currency having sum(amount_micros) <> 0
         ), summed as (
           select org_id, currency, sum(amount_micros) as amount
           from (select org_id, currency, amount_micros from ledger_entries where account = 'receivable'
                 union all
                 select e.org_id, e.currency, e.amount_micros from archived_entries e
                 join archived_partitions a on a.id = e.archive_id where e.account = 'receivable') as both_kept
           group by org_id, currency
         )
         insert into reconciliation_findings (reconciliation_id, comparison, code, org_id, subject, expected, found)
         select $1, 'ledger', code, org_id, subject, expected, found from (
           select 'lines_differ_from_invoice' as code, i.org_id, i.id::text as subject,
                  i.lines_micros::text as expected, coalesce(l.amount, 0)::text as found
           from recent i left join itemized l on l.invoice_id = i.id
           where i.lines_micros <> coalesce(l.amount, 0)
           union all
           select 'entries_differ_from_invoice', i.org_id, i.id::text, (-i.total_micros)::text, coalesce(m.amount, 0)::text
           from recent i left join moved m on m.id = i.id
           where -i.total_micros <> coalesce(m.amount, 0)
           union all
           select 'transaction_out_of_balance', org_id, transaction_id::text, '0', amount::text from unequal
           union all
           select 'balance_differs_from_entries', coalesce(b.org_id, s.org_id), coalesce(b.currency, s.currency),
                  coalesce(s.amount, 0)::text, coalesce(b.balance_micros, 0)::text
           from account_balances b full join summed s on s.org_id = b.org_id and s.currency = b.currency
           where coalesce(s.amount, 0) <> coalesce(b.balance_micros, 0)
         ) as differing
         order by code, subject limit $4",
        id.uuid(),
        since,
        crate::id::first_at(since),
        MOST,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// What is charged for at this moment, what is handed out, and what the machines say.
async fn machines(conn: &mut PgConnection, id: ReconciliationId) -> Result<u64> {
    let done = sqlx::query!(
        "insert into reconciliation_findings (reconciliation_id, comparison, code, org_id, subject, expected, found)
         select $1, 'machines', code, org_id, subject::text, expected, found from (
           select 'charged_while_not_active' as code, i.org_id, a.id as subject, 'active' as expected, a.state as found
           from usage_intervals i join allocations a on a.id = i.allocation_id
           where upper_inf(i.period) and a.state <> 'active'
             and (a.release_requested_at is null or a.state in ('releasing', 'release_failed', 'released', 'failed'))
           union all
           select 'active_without_charge', a.org_id, a.id, 'an open interval', 'none'
           from allocations a
           where a.state = 'active' and a.release_requested_at is null
             and not exists (select from usage_intervals i where i.allocation_id = a.id and upper_inf(i.period))
           union all
           select 'charged_on_a_faulty_machine', i.org_id, a.id, 'no fault', h.fault
           from usage_intervals i
           join allocations a on a.id = i.allocation_id and a.release_requested_at is null
           join allocation_nodes n on n.allocation_id = a.id and n.attempt = a.attempts
           join node_health h on h.node_id = n.node_id
           where upper_inf(i.period) and h.fault_since < clock_timestamp() - make_interval(secs => $2)
             and (h.fault_gpus is null or exists (
               select from allocation_gpus g join gpus d on d.id = g.gpu_id
               where g.allocation_id = a.id and g.released_at is null and d.gpu_index = any (h.fault_gpus)))
           union all
           select 'charged_on_a_machine_that_nobody_sees', i.org_id, a.id,
                  'seen within ' || ($2::float8)::text || ' s', coalesce(h.looked_at::text, 'never')
           from usage_intervals i
           join allocations a on a.id = i.allocation_id and a.release_requested_at is null
           join allocation_nodes n on n.allocation_id = a.id and n.attempt = a.attempts
           left join node_health h on h.node_id = n.node_id
           where upper_inf(i.period) and lower(i.period) < clock_timestamp() - make_interval(secs => $2)
             and coalesce(h.looked_at, '-infinity') < clock_timestamp() - make_interval(secs => $2)
             -- Where nobody looks at any machine, that is what is wrong, and has its own alert.
             and (select max(looked_at) from node_health) > clock_timestamp() - make_interval(secs => $2)
         ) as differing
         order by code, subject limit $3",
        id.uuid(),
        DOUBT_SECONDS,
        MOST,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Comparisons, the latest first, from before `after`.
pub async fn list(
    conn: &mut PgConnection,
    id: Option<ReconciliationId>,
    after: Option<ReconciliationId>,
    limit: i64,
) -> Result<Vec<Reconciliation>> {
    let rows = sqlx::query!(
        r#"select id, since, version, created_at, ended_at,
                  (select count(*) from reconciliation_findings f where f.reconciliation_id = r.id) as "findings!"
           from reconciliations r
           where ($1::uuid is null or id = $1) and ($2::uuid is null or id < $2)
           order by id desc limit $3"#,
        id.map(ReconciliationId::uuid),
        after.map(ReconciliationId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    let all = rows.into_iter().map(|row| Reconciliation {
        id: row.id.into(),
        since: row.since,
        findings: row.findings,
        version: row.version,
        created_at: row.created_at,
        ended_at: row.ended_at,
    });
    Ok(all.collect())
}

/// What one found, in the order in which it was found, behind `after`.
pub async fn findings(
    conn: &mut PgConnection,
    id: ReconciliationId,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Finding>> {
    let rows = sqlx::query!(
        "select id, comparison, code, org_id, subject, expected, found from reconciliation_findings
         where reconciliation_id = $1 and ($2::bigint is null or id > $2)
         order by id limit $3",
        id.uuid(),
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Finding {
                id: row.id,
                comparison: parse(
                    "reconciliation_findings",
                    "comparison",
                    row.id,
                    &row.comparison,
                )?,
                code: row.code,
                org_id: row.org_id.map(OrgId::from),
                subject: row.subject,
                expected: row.expected,
                found: row.found,
            })
        })
        .collect()
}

/// What the last one that ended found, by comparison, and how old it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    pub findings: Vec<(Comparison, i64)>,
    /// Since the last one ended, or since the first was due.
    pub age_seconds: f64,
}

pub async fn watch(conn: &mut PgConnection) -> Result<Watch> {
    let row = sqlx::query!(
        r#"with last as (select id, ended_at from reconciliations where ended_at is not null order by ended_at desc limit 1)
           select (select count(*) from reconciliation_findings f, last where f.reconciliation_id = last.id and comparison = 'usage') as "usage!",
                  (select count(*) from reconciliation_findings f, last where f.reconciliation_id = last.id and comparison = 'lines') as "lines!",
                  (select count(*) from reconciliation_findings f, last where f.reconciliation_id = last.id and comparison = 'ledger') as "ledger!",
                  (select count(*) from reconciliation_findings f, last where f.reconciliation_id = last.id and comparison = 'machines') as "machines!",
                  extract(epoch from clock_timestamp() - coalesce((select ended_at from last),
                    (select min(created_at) from organizations), clock_timestamp()))::double precision as "age!""#,
    )
    .fetch_one(conn)
    .await?;
    Ok(Watch {
        findings: vec![
            (Comparison::Usage, row.usage),
            (Comparison::Lines, row.lines),
            (Comparison::Ledger, row.ledger),
            (Comparison::Machines, row.machines),
        ],
        age_seconds: row.age,
    })
}
