//! Which partition has served its time.

use db::PgConnection;
use db::partition::Partition;
use domain::data_growth::Guarded;
use time::OffsetDateTime;

use super::{at, value};
use crate::refusal::Refusal;

/// What has served its time.
pub(super) enum Due {
    Attached(Partition),
    /// Somebody was killed before he dropped it.
    Detached(String),
}

impl Due {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Attached(partition) => &partition.name,
            Self::Detached(name) => name,
        }
    }
}

/// The oldest partition that has served its time, if nobody waits for its rows.
pub(super) async fn due(
    conn: &mut PgConnection,
    table: Guarded,
    now: Option<OffsetDateTime>,
) -> Result<Option<Due>, Refusal> {
    if let Some(name) = db::partition::detached(conn, table).await?.pop() {
        return Ok(Some(Due::Detached(name)));
    }
    let Some(kept) = table.kept(value(conn, table.settings().kept).await?) else {
        return Ok(None);
    };
    let now = at(conn, now).await?;
    for one in db::partition::list(conn, Some(table)).await? {
        if one.until + kept > now {
            break;
        }
        if one.held_until.is_some_and(|until| until > now) {
            continue;
        }
        let owed = db::partition::owed(conn, &one).await?;
        if owed == 0 {
            return Ok(Some(Due::Attached(one)));
        }
        tracing::warn!(partition = one.name, owed, "it is waited for, and stays");
        break;
    }
    Ok(None)
}
