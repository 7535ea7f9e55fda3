//! A row as JSON.

use bytes::Buf as _;
use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::column::{Column, Kind};
use crate::wire::Row;
use crate::{Error, Result};

/// Midnight of 2000-01-01, which `PostgreSQL` counts from.
const EPOCH: i64 = 946_684_800;

/// A row as an object: ids and instants (RFC 3339) are strings, numbers numbers.
pub fn object(columns: &[Column], row: &Row) -> Result<Map<String, Value>> {
    if columns.len() != row.0.len() {
        return Err(Error::Columns);
    }
    columns
        .iter()
        .zip(&row.0)
        .map(|(column, field)| {
            let value = match field {
                None => Value::Null,
                Some(bytes) => value(column.kind, bytes).ok_or_else(|| Error::Field {
                    column: column.name.clone(),
                })?,
            };
            Ok((column.name.clone(), value))
        })
        .collect()
}

fn value(kind: Kind, mut bytes: &[u8]) -> Option<Value> {
    Some(match kind {
        Kind::Uuid => Uuid::from_slice(bytes).ok()?.to_string().into(),
        Kind::Timestamp => {
            let since = Duration::microseconds(bytes.try_get_i64().ok()?);
            let epoch = OffsetDateTime::from_unix_timestamp(EPOCH).ok()?;
            let at = epoch.checked_add(since)?;
            at.format(&Rfc3339).ok()?.into()
        }
        Kind::Text => std::str::from_utf8(bytes).ok()?.into(),
        Kind::Json => serde_json::from_slice(bytes.strip_prefix(&[1])?).ok()?,
        Kind::BigInt => bytes.try_get_i64().ok()?.into(),
        Kind::Integer => bytes.try_get_i32().ok()?.into(),
    })
}
