//! An entry of the audit log as the chain has it, wherever it was read.

use archive::{Column, Kind, Row};
use domain::audit_chain::ENTRY;
use domain::id::{AuditId, OrgId};
use serde_json::{Map, Value};
use uuid::Uuid;

/// One entry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: AuditId,
    pub(crate) org_id: Option<OrgId>,
    /// What is hashed.
    pub(crate) members: Map<String, Value>,
}

/// Columns of [`ENTRY`], as `COPY` sends them.
pub(crate) fn columns() -> Vec<Column> {
    let kind = |name| match name {
        "id" | "org_id" | "user_id" => Kind::Uuid,
        "created_at" => Kind::Timestamp,
        "detail" => Kind::Json,
        _ => Kind::Text,
    };
    let columns = ENTRY.iter().map(|name| Column {
        name: (*name).to_owned(),
        kind: kind(*name),
        nullable: true,
    });
    columns.collect()
}

/// The id of a row that has [`columns`], whatever else is in it.
pub(crate) fn id(row: &Row) -> Option<AuditId> {
    let bytes = row.0.first()?.as_deref()?;
    Some(Uuid::from_slice(bytes).ok()?.into())
}

impl Entry {
    /// From a row that has its columns, and perhaps others.
    pub(crate) fn of(columns: &[Column], row: &Row) -> archive::Result<Self> {
        let mut all = archive::object(columns, row)?;
        let members = ENTRY.iter().map(|name| {
            let value = all.remove(*name).ok_or(archive::Error::Columns)?;
            Ok(((*name).to_owned(), value))
        });
        let members: Map<String, Value> = members.collect::<archive::Result<_>>()?;
        let id = |member: &str| members.get(member)?.as_str()?.parse::<Uuid>().ok();
        Ok(Self {
            id: id("id").ok_or(archive::Error::Columns)?.into(),
            // All zeros is how the chain of no organization goes by.
            org_id: id("org_id").filter(|id| !id.is_nil()).map(OrgId::from),
            members,
        })
    }
}
