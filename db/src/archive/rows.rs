//! Rows of one partition. Its name is data here, and a part of the statement: the catalog's own names,
//! in quotes.

use futures::stream::BoxStream;
use sqlx::PgConnection;

use super::Column;
use crate::disposable::DisposableTransaction;
use crate::error::Result;

/// Rows of a partition in the order of their ids, in the binary form of COPY.
pub async fn copy_out<'c>(
    conn: &'c mut DisposableTransaction<'_>,
    partition: &str,
    columns: &[Column],
) -> Result<BoxStream<'c, sqlx::Result<impl AsRef<[u8]> + use<>>>> {
    let sql = format!(
        "copy (select {} from {} order by id) to stdout (format binary)",
        names(columns),
        quoted(partition),
    );
    Ok(conn.copy_out_raw(&sql).await?)
}

/// Begins to write rows in that form. Who does not say that they are all has written none.
pub async fn copy_in<'c>(
    conn: &'c mut PgConnection,
    partition: &str,
    columns: &[Column],
) -> Result<sqlx::postgres::PgCopyIn<&'c mut PgConnection>> {
    let sql = format!(
        "copy {} ({}) from stdin (format binary)",
        quoted(partition),
        names(columns),
    );
    Ok(conn.copy_in_raw(&sql).await?)
}

fn names(columns: &[Column]) -> String {
    let names: Vec<_> = columns.iter().map(|column| quoted(&column.name)).collect();
    names.join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
