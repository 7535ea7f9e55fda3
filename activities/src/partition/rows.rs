//! Rows of a partition on their way out of the database, and back.

use archive::{Column, Decoder, Digest, Kind, Reader, Row, RowDigest, Writer};
use bytes::Bytes;
use db::PgConnection;
use db::disposable::DisposableTransaction;
use futures::{Stream, TryStreamExt as _};
use std::fs::File;
use std::io::Seek as _;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::refusal::Refusal;

/// Pieces that wait for whoever works on them.
const WAITING: usize = 16;
/// How large a piece is on the way back, about.
const PIECE_BYTES: usize = 256 << 10;

/// What went by.
#[derive(Debug, Clone)]
pub(super) struct Passed {
    pub(super) rows: u64,
    pub(super) digest: Digest,
    /// Ids of the first and of the last row.
    pub(super) ends: Option<(Uuid, Uuid)>,
}

/// Columns of a table, or of a partition. A type that has no form in a file is refused.
pub(super) async fn columns(conn: &mut PgConnection, table: &str) -> Result<Vec<Column>, Refusal> {
    let columns = db::archive::columns(conn, table).await?.into_iter();
    columns
        .map(|column| {
            let kind: Result<Kind, _> = column.kind.parse();
            let why = format!("no archive holds the type {}", column.kind);
            Ok(Column {
                name: column.name,
                kind: kind.map_err(|_| Refusal::conflict(table, why))?,
                nullable: column.nullable,
            })
        })
        .collect()
}

fn names(columns: &[Column]) -> Vec<db::archive::Column> {
    let named = columns.iter().map(|column| db::archive::Column {
        name: column.name.clone(),
        kind: <&str>::from(column.kind).to_owned(),
        nullable: column.nullable,
    });
    named.collect()
}

/// Reads all rows of a partition; with `into`, writes them to a file, too.
pub(super) async fn read(
    conn: &mut DisposableTransaction<'_>,
    partition: &str,
    columns: &[Column],
    into: Option<File>,
) -> Result<Passed, Refusal> {
    let at = columns.iter().position(|column| column.name == "id");
    let file = into.map(|file| Writer::new(file, columns.to_vec()));
    let work = move |mut rows: Rows| {
        let mut file = file.transpose()?;
        let (mut digest, mut ends) = (RowDigest::default(), None);
        while let Some(row) = rows.next()? {
            digest.update(&row);
            ends = Some(widen(ends, &row, at));
            if let Some(file) = &mut file {
                file.push(row)?;
            }
        }
        file.map(Writer::finish).transpose()?;
        let (rows, digest) = digest.finish();
        Ok(Passed { rows, digest, ends })
    };
    let pieces = db::archive::copy_out(conn, partition, &names(columns)).await?;
    hand(partition, pieces, work).await
}

/// Rows of a `COPY` for somebody on a thread of his own.
pub(super) struct Rows {
    pieces: mpsc::Receiver<Bytes>,
    decoder: Decoder,
}

impl Rows {
    /// The next one; `None`: those were all, and nothing is missing.
    pub(super) fn next(&mut self) -> archive::Result<Option<Row>> {
        loop {
            if let Some(row) = self.decoder.row()? {
                return Ok(Some(row));
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.decoder.push(&piece),
                None => return std::mem::take(&mut self.decoder).finish().map(|()| None),
            }
        }
    }
}

/// Hands the rows of a `COPY` to somebody who may take his time.
pub(super) async fn hand<T: Send + 'static>(
    name: &str,
    mut pieces: impl Stream<Item = sqlx::Result<impl AsRef<[u8]>>> + Unpin,
    work: impl FnOnce(Rows) -> archive::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let (send, receive) = mpsc::channel(WAITING);
    let rows = Rows {
        pieces: receive,
        decoder: Decoder::default(),
    };
    let work = tokio::task::spawn_blocking(move || work(rows));
    while let Some(piece) = pieces.try_next().await? {
        let piece = Bytes::copy_from_slice(piece.as_ref());
        if send.send(piece).await.is_err() {
            break; // Whoever works on them says why.
        }
    }
    drop(send);
    ended(name, work.await)
}

/// Ids of the first and of the last row, this one being the last.
fn widen(ends: Option<(Uuid, Uuid)>, row: &Row, at: Option<usize>) -> (Uuid, Uuid) {
    let id = at.and_then(|at| row.0.get(at)?.as_deref());
    let id = id
        .and_then(|id| Uuid::from_slice(id).ok())
        .unwrap_or_default();
    (ends.map_or(id, |(first, _)| first), id)
}

/// What is in a file.
pub(super) async fn of_file(name: &str, file: File, columns: &[Column]) -> Result<Passed, Refusal> {
    let columns = columns.to_vec();
    let work = move || {
        let at = columns.iter().position(|column| column.name == "id");
        let mut reader = Reader::new(file, columns)?;
        let (mut digest, mut ends) = (RowDigest::default(), None);
        while let Some(rows) = reader.rows()? {
            for row in &rows {
                digest.update(row);
                ends = Some(widen(ends, row, at));
            }
        }
        let (rows, digest) = digest.finish();
        Ok(Passed { rows, digest, ends })
    };
    ended(name, tokio::task::spawn_blocking(work).await)
}

/// Writes all rows of a file to a table.
pub(super) async fn write(
    conn: &mut PgConnection,
    table: &str,
    file: File,
    columns: &[Column],
) -> Result<(), Refusal> {
    let (send, mut pieces) = mpsc::channel::<Vec<u8>>(WAITING);
    let of_file = columns.to_vec();
    let work = move || {
        let mut reader = Reader::new(file, of_file)?;
        let mut piece = Vec::new();
        archive::begin(&mut piece);
        while let Some(rows) = reader.rows()? {
            for row in rows {
                row.encode(&mut piece);
                if piece.len() >= PIECE_BYTES
                    && send.blocking_send(std::mem::take(&mut piece)).is_err()
                {
                    return Ok(()); // The table takes no more, and says why.
                }
            }
        }
        archive::end(&mut piece);
        drop(send.blocking_send(piece));
        Ok(())
    };
    let work = tokio::task::spawn_blocking(work);
    let mut to = db::archive::copy_in(conn, table, &names(columns)).await?;
    while let Some(piece) = pieces.recv().await {
        to.send(piece).await?;
    }
    to.finish().await?;
    ended(table, work.await)
}

/// SHA-256 of a file, and its length. It is at its beginning afterwards.
pub(super) async fn hash(name: &str, mut file: File) -> Result<(File, u64, Digest), Refusal> {
    let work = move || {
        let mut hash = Hash::default();
        file.rewind()?;
        let length = std::io::copy(&mut file, &mut hash)?;
        file.rewind()?;
        Ok((file, length, hash.finish()))
    };
    let done: Result<std::io::Result<_>, _> = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Refusal::conflict(name, error))?;
    done.map_err(|error| Refusal::Away(format!("{name}: {error}")))
}

/// What passes through it is hashed.
#[derive(Default)]
struct Hash(sha2::Sha256);

impl Hash {
    fn finish(self) -> Digest {
        Digest(sha2::Digest::finalize(self.0).into())
    }
}

impl std::io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        sha2::Digest::update(&mut self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is not sound stays so; a reader that broke down over it counts as that, too. A disk that is full
/// is no such thing.
pub(super) fn ended<T>(
    name: &str,
    done: Result<archive::Result<T>, tokio::task::JoinError>,
) -> Result<T, Refusal> {
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if error.is_io() => Err(Refusal::Away(format!("{name}: {error}"))),
        Ok(Err(error)) => Err(Refusal::conflict(name, error)),
        Err(error) => Err(Refusal::conflict(name, error)),
    }
}
