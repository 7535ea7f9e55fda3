//! The schema as a picture: reads the database's own catalog, so that the picture cannot say what
//! the schema does not.

use std::fmt::Write as _;

use sqlx::PgConnection;

use crate::error::Result;

struct Table {
    name: String,
    comment: Option<String>,
}

struct Column {
    table: String,
    name: String,
    kind: String,
    required: bool,
    comment: Option<String>,
    /// `PK`, `UK`, `FK`, as far as they apply, separated by commas.
    keys: Option<String>,
}

struct Reference {
    from: String,
    to: String,
    columns: String,
    required: bool,
}

/// The whole document in Markdown: what each table is for, and an entity-relationship diagram
/// (Mermaid) with every column and foreign key. Same schema, same text.
pub async fn markdown(conn: &mut PgConnection) -> Result<String> {
    let tables = tables(conn).await?;
    let columns = columns(conn).await?;
    let references = references(conn).await?;
    let mut text = String::new();
    // Writing to a String does not fail.
    render(&mut text, &tables, &columns, &references).unwrap_or_default();
    Ok(text)
}

async fn tables(conn: &mut PgConnection) -> Result<Vec<Table>> {
    let rows = sqlx::query_as!(
        Table,
        r#"select c.relname::text as "name!", obj_description(c.oid, 'pg_class') as comment
           from pg_class c
           where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
             and not c.relispartition and c.relname <> '_sqlx_migrations'
           order by c.relname"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

async fn columns(conn: &mut PgConnection) -> Result<Vec<Column>> {
    let rows = sqlx::query_as!(
        Column,
        r#"select c.relname::text as "table!", a.attname::text as "name!", t.typname::text as "kind!",
                  a.attnotnull as "required!", col_description(c.oid, a.attnum) as comment,
                  (select string_agg(distinct upper(k.contype::text) || 'K', ', ' order by upper(k.contype::text) || 'K' desc)
                   from pg_constraint k
                   where k.conrelid = c.oid and a.attnum = any (k.conkey) and k.contype in ('p', 'f', 'u')) as keys
           from pg_class c
           join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           join pg_type t on t.oid = a.atttypid
           where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
             and not c.relispartition and c.relname <> '_sqlx_migrations'
           order by c.relname, a.attnum"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

async fn references(conn: &mut PgConnection) -> Result<Vec<Reference>> {
    let rows = sqlx::query_as!(
        Reference,
        r#"select f.relname::text as "from!", p.relname::text as "to!",
                  (select string_agg(a.attname, ', ' order by u.at)
                   from unnest(k.conkey) with ordinality u(attnum, at)
                   join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum) as "columns!",
                  (select bool_and(a.attnotnull) from pg_attribute a
                   where a.attrelid = k.conrelid and a.attnum = any (k.conkey)) as "required!"
           from pg_constraint k
           join pg_class f on f.oid = k.conrelid
           join pg_class p on p.oid = k.confrelid
           where k.contype = 'f' and k.connamespace = 'public'::regnamespace
             and not f.relispartition and not p.relispartition
           order by f.relname, k.conname"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

fn render(
    out: &mut String,
    tables: &[Table],
    columns: &[Column],
    references: &[Reference],
) -> std::fmt::Result {
    out.push_str(
        "# The schema\n\n\
         Generated from the migrated database; the test `erd_is_fresh` says how to write it anew.\n\n\
         | table | what |\n| --- | --- |\n",
    );
    for table in tables {
        let what = table
            .comment
            .as_deref()
            .unwrap_or_default()
            .replace('|', "\\|");
        writeln!(out, "| `{}` | {what} |", table.name)?;
    }
    out.push_str("\n```mermaid\nerDiagram\n");
    for table in tables {
        writeln!(out, "    {} {{", table.name)?;
        for column in columns.iter().filter(|column| column.table == table.name) {
            render_column(out, column)?;
        }
        out.push_str("    }\n");
    }
    for reference in references {
        let parent = if reference.required { "||" } else { "o|" };
        writeln!(
            out,
            "    {} }}o--{parent} {} : \"{}\"",
            reference.from, reference.to, reference.columns
        )?;
    }
    out.push_str("```\n");
    Ok(())
}

fn render_column(out: &mut String, column: &Column) -> std::fmt::Result {
    write!(out, "        {} {}", spelled_out(&column.kind), column.name)?;
    if let Some(keys) = &column.keys {
        write!(out, " {keys}")?;
    }
    let optional = if column.required { "" } else { "null" };
    let comment = column
        .comment
        .as_deref()
        .unwrap_or_default()
        .replace('"', "'");
    let note = [optional, &comment]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("; ");
    if !note.is_empty() {
        write!(out, " \"{note}\"")?;
    }
    out.push('\n');
    Ok(())
}

/// The catalog's inner names of types, as people write them.
fn spelled_out(kind: &str) -> &str {
    match kind {
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "bool" => "boolean",
        other => other,
    }
}
