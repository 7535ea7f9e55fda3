//! The catalog: regions and the shapes that are sold in them.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::Result;

/// A place with machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    pub name: String,
    pub display_name: String,
    pub version: i64,
    pub created_at: OffsetDateTime,
}

/// A GPU model in a region. An allocation asks for a number of GPUs of one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sku {
    pub name: String,
    pub region: String,
    pub display_name: String,
    /// As `nvidia-smi` prints it.
    pub gpu_model: String,
    pub gpu_memory_bytes: i64,
    pub gpus_per_node: i32,
    pub version: i64,
    pub created_at: OffsetDateTime,
}

/// What an SKU is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewSku<'a> {
    pub name: &'a str,
    pub region: &'a str,
    pub display_name: &'a str,
    pub gpu_model: &'a str,
    pub gpu_memory_bytes: i64,
    pub gpus_per_node: i32,
}

/// Adds a region, or renames the one that is there.
pub async fn upsert_region(conn: &mut PgConnection, name: &str, display_name: &str) -> Result<()> {
    sqlx::query!(
        "insert into regions (name, display_name) values ($1, $2)
         on conflict on constraint regions_pkey do update set display_name = excluded.display_name
         where regions.display_name <> excluded.display_name",
        name,
        display_name,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds an SKU, or renames the one that is there; its hardware does not change.
pub async fn upsert_sku(conn: &mut PgConnection, new: NewSku<'_>) -> Result<()> {
    sqlx::query!(
        "insert into skus (name, region, display_name, gpu_model, gpu_memory_bytes, gpus_per_node)
         values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint skus_pkey do update set display_name = excluded.display_name
         where skus.display_name <> excluded.display_name",
        new.name,
        new.region,
        new.display_name,
        new.gpu_model,
        new.gpu_memory_bytes,
        new.gpus_per_node,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn get_region(conn: &mut PgConnection, name: &str) -> Result<Option<Region>> {
    Ok(sqlx::query_as!(
        Region,
        "select name, display_name, version, created_at from regions where name = $1",
        name,
    )
    .fetch_optional(conn)
    .await?)
}

/// By name, those after `after`.
pub async fn list_regions(
    conn: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Region>> {
    Ok(sqlx::query_as!(
        Region,
        "select name, display_name, version, created_at from regions
         where $1::text is null or name > $1 order by name limit $2",
        after,
        limit,
    )
    .fetch_all(conn)
    .await?)
}

/// An SKU that is on sale.
pub async fn get_sku(conn: &mut PgConnection, name: &str) -> Result<Option<Sku>> {
    Ok(sqlx::query_as!(
        Sku,
        "select name, region, display_name, gpu_model, gpu_memory_bytes, gpus_per_node, version,
                created_at
         from skus where name = $1 and retired_at is null",
        name,
    )
    .fetch_optional(conn)
    .await?)
}

/// Whether there is or was an SKU.
pub async fn sku_exists(conn: &mut PgConnection, name: &str) -> Result<bool> {
    let there = sqlx::query_scalar!(
        r#"select exists (select from skus where name = $1) as "there!""#,
        name
    )
    .fetch_one(conn)
    .await?;
    Ok(there)
}

/// Those on sale, by name, after `after`.
pub async fn list_skus(
    conn: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Sku>> {
    Ok(sqlx::query_as!(
        Sku,
        "select name, region, display_name, gpu_model, gpu_memory_bytes, gpus_per_node, version,
                created_at
         from skus where retired_at is null and ($1::text is null or name > $1)
         order by name limit $2",
        after,
        limit,
    )
    .fetch_all(conn)
    .await?)
}
