//! What a superuser does to the log is found, and where.

use domain::audit_chain::Fault;
use domain::id::OrgId;
use uuid::Uuid;

use super::{by_force, key, org, prove, sealed};
use tests::scratch::{Scratch, execute};

/// Entries of each chain.
const EACH: i64 = 17;
/// Tries of each kind; `BERTH_TAMPERINGS` for more.
const TRIES: usize = 13;
const TABLES: [&str; 3] = ["audit_logs", "audit_links", "audit_heads"];

/// A row of the log, and where it is.
#[derive(Debug, Clone, Copy)]
struct Place {
    org: Option<OrgId>,
    seq: i64,
    entry: Uuid,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Edit,
    EditHash,
    Remove,
    RemoveWithLink,
    Insert,
    Swap,
    CutTail,
}

const KINDS: [Kind; 7] = [
    Kind::Edit,
    Kind::EditHash,
    Kind::Remove,
    Kind::RemoveWithLink,
    Kind::Insert,
    Kind::Swap,
    Kind::CutTail,
];

/// One of the columns, changed.
const EDITS: [&str; 13] = [
    "detail = '{\"n\": 1e400}'",
    "org_id = uuid_v7()",
    "actor_kind = 'system'",
    "actor_id = 'another'",
    "user_id = uuid_v7()",
    "action = action || ' '",
    "resource_kind = 'another'",
    "resource_id = null",
    "outcome = 'denied'",
    "reason = coalesce(reason || 'x', '')",
    "request_id = 'req'",
    "detail = detail || '{\"more\": null}'",
    "detail = jsonb_set(detail, '{list,2,a}', '\"u\"')",
];

impl Kind {
    /// What is done, and what has to be found there.
    fn at(self, place: Place, round: usize) -> (String, Fault, i64) {
        let Place { org, seq, entry } = place;
        let of = format!("org_id = '{}'", key(org));
        let (sql, fault, at) = match self {
            Self::Edit => {
                let edit = EDITS[round % EDITS.len()];
                let sql = format!("update audit_logs set {edit} where id = '{entry}'");
                (sql, Fault::EntryChanged, seq)
            }
            Self::EditHash => {
                let sql = format!(
                    "update audit_links set hash = sha256(hash) where {of} and seq = {seq}"
                );
                (sql, Fault::EntryChanged, seq)
            }
            Self::Remove => {
                let sql = format!("delete from audit_logs where id = '{entry}'");
                (sql, Fault::EntryMissing, seq)
            }
            Self::RemoveWithLink => {
                let sql = format!(
                    "delete from audit_logs where id = '{entry}';
                     delete from audit_links where audit_id = '{entry}'"
                );
                let last = seq == EACH;
                let fault = if last {
                    Fault::HeadMoved
                } else {
                    Fault::LinkMissing
                };
                (sql, fault, seq)
            }
            Self::Insert => {
                let sql = format!(
                    "insert into audit_logs select (jsonb_populate_record(a, jsonb_build_object('id', v.id, 'created_at', uuid_v7_at(v.id)))).*
                     from audit_logs a, (select uuid_v7() as id) as v where a.id = '{entry}'"
                );
                (sql, Fault::EntryInserted, 0)
            }
            Self::Swap => {
                let (first, other) = if seq < EACH {
                    (seq, seq + 1)
                } else {
                    (seq - 1, seq)
                };
                // Both the entries' places, past the unique key.
                let sql = format!(
                    "create temp table swapped on commit drop as
                       select l.org_id, case l.seq when {first} then {other}::bigint else {first}::bigint end as seq, l.audit_id
                       from audit_links l where {of} and seq in ({first}, {other});
                     update audit_links set audit_id = uuid_v7() where {of} and seq in ({first}, {other});
                     update audit_links l set audit_id = s.audit_id from swapped s where l.org_id = s.org_id and l.seq = s.seq"
                );
                (sql, Fault::EntryChanged, first)
            }
            Self::CutTail => {
                let sql = format!(
                    "delete from audit_logs where id in (select audit_id from audit_links where {of} and seq >= {seq});
                     delete from audit_links where {of} and seq >= {seq}"
                );
                (sql, Fault::HeadMoved, seq)
            }
        };
        (sql, fault, at)
    }
}

#[expect(clippy::disallowed_methods, reason = "how much of it, not what")]
fn tries() -> usize {
    let wanted = std::env::var("BERTH_TAMPERINGS").ok();
    wanted.map_or(TRIES, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn aud_03_whatever_a_superuser_does_is_found_where_it_is() {
    let scratch = Scratch::new().await;
    let orgs = [org(), org()];
    let each = usize::try_from(EACH).expect("few");
    sealed(&scratch, &orgs, each).await;
    assert_eq!(prove(&scratch).await.findings, []);
    let places: Vec<(Uuid, i64, Uuid)> =
        sqlx::query_as("select org_id, seq, audit_id from audit_links order by org_id, seq")
            .fetch_all(&scratch.root)
            .await
            .expect("links");
    for table in TABLES {
        execute(
            &scratch.root,
            format!("create table kept_{table} as table {table}"),
        )
        .await;
    }
    for round in 0..tries() {
        for (number, kind) in KINDS.into_iter().enumerate() {
            let (org, seq, entry) = places[(round * 31 + number * 7) % places.len()];
            let place = Place {
                org: (!org.is_nil()).then(|| org.into()),
                seq,
                entry,
            };
            let (sql, fault, at) = kind.at(place, round);
            by_force(&scratch, &sql).await;
            let proof = prove(&scratch).await;
            let mut findings = proof.findings.iter();
            let found = findings.any(|one| {
                one.fault == fault
                    && (at == 0 || (one.organization_id == place.org && one.seq == Some(at)))
            });
            assert!(found, "{kind:?} at {place:?} {at}: {proof:?}");
            for table in TABLES {
                let sql = format!("delete from {table}; insert into {table} table kept_{table}");
                by_force(&scratch, &sql).await;
            }
        }
    }
    assert_eq!(prove(&scratch).await.findings, []);
}

/// What is gone before anybody sealed it.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_sealed_is_missed_too() {
    let scratch = Scratch::new().await;
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    super::write(&mut conn, None, 1).await;
    super::write(&mut conn, None, 2).await;
    by_force(
        &scratch,
        "delete from audit_logs where resource_id = 'thing_1'",
    )
    .await;
    let proof = prove(&scratch).await;
    assert_eq!(super::faults(&proof), [Fault::EntryMissing]);
    // It keeps nobody else from being sealed, and nor does what cannot be.
    by_force(
        &scratch,
        "update audit_logs set detail = '{\"n\": 1e400}' where resource_id = 'thing_2'",
    )
    .await;
    super::write(&mut conn, None, 3).await;
    let sealed = super::chain(&scratch).seal_all().await;
    assert_eq!(sealed.expect("sealed"), 1);
    let proof = prove(&scratch).await;
    let found = [Fault::EntryMissing, Fault::EntryChanged];
    assert_eq!(super::faults(&proof), found);
}
