//! What a table is made of.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::schema::types::{Type, TypePtr};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use crate::Result;

/// Types that have a form in a file, by `PostgreSQL`'s names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
pub enum Kind {
    #[serde(rename = "uuid")]
    #[strum(serialize = "uuid")]
    Uuid,
    #[serde(rename = "timestamp with time zone")]
    #[strum(serialize = "timestamp with time zone")]
    Timestamp,
    #[serde(rename = "text")]
    #[strum(serialize = "text")]
    Text,
    #[serde(rename = "jsonb")]
    #[strum(serialize = "jsonb")]
    Json,
    #[serde(rename = "bigint")]
    #[strum(serialize = "bigint")]
    BigInt,
    #[serde(rename = "integer")]
    #[strum(serialize = "integer")]
    Integer,
}

/// One column, in its table's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub nullable: bool,
}

/// Bytes of a UUID.
pub(crate) const UUID_BYTES: i32 = 16;

/// Columns as the file has them.
pub(crate) fn schema(columns: &[Column]) -> Result<TypePtr> {
    let fields = columns.iter().map(field).collect::<Result<Vec<_>>>()?;
    let root = Type::group_type_builder("rows").with_fields(fields);
    Ok(Arc::new(root.build()?))
}

fn field(column: &Column) -> Result<TypePtr> {
    let (physical, logical, length) = match column.kind {
        Kind::Uuid => (
            Physical::FIXED_LEN_BYTE_ARRAY,
            Some(LogicalType::Uuid),
            UUID_BYTES,
        ),
        Kind::Timestamp => (
            Physical::INT64,
            Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
            -1,
        ),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String), -1),
        Kind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json), -1),
        Kind::BigInt => (Physical::INT64, None, -1),
        Kind::Integer => (Physical::INT32, None, -1),
    };
    let repetition = if column.nullable {
        Repetition::OPTIONAL
    } else {
        Repetition::REQUIRED
    };
    let field = Type::primitive_type_builder(&column.name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .with_length(length);
    Ok(Arc::new(field.build()?))
}
