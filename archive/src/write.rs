//! Rows into a file.

use std::io::Write;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};

use crate::column::{self, Column, Kind, UUID_BYTES};
use crate::wire::Row;
use crate::{Error, Result};

/// Rows of a group: what is held in memory at once, here and by whoever reads it.
const GROUP_ROWS: usize = 32_768;
/// The same in bytes, about.
const GROUP_BYTES: usize = 16 << 20;
/// Seconds from 1970, where files count from, to 2000, where `PostgreSQL` does.
const EPOCHS_APART_MICROS: i64 = 946_684_800_000_000;

/// Writes one file.
pub struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Column>,
    pending: Vec<Row>,
    pending_bytes: usize,
}

impl<W: Write + Send> Writer<W> {
    pub fn new(to: W, columns: Vec<Column>) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_created_by("berth".to_owned())
            .build();
        let schema = column::schema(&columns)?;
        Ok(Self {
            file: SerializedFileWriter::new(to, schema, Arc::new(properties))?,
            columns,
            pending: Vec::new(),
            pending_bytes: 0,
        })
    }

    /// Adds a row, which has to have a field for each column.
    pub fn push(&mut self, row: Row) -> Result<()> {
        if row.0.len() != self.columns.len() {
            return Err(Error::Columns);
        }
        self.pending_bytes += row.0.iter().flatten().map(Bytes::len).sum::<usize>();
        self.pending.push(row);
        if self.pending.len() == GROUP_ROWS || self.pending_bytes >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the file, and gives back what it was written to.
    pub fn finish(mut self) -> Result<W> {
        self.flush()?;
        Ok(self.file.into_inner()?)
    }

    fn flush(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        let mut columns = self.columns.iter().enumerate();
        while let Some(mut writer) = group.next_column()? {
            let Some((at, column)) = columns.next() else {
                return Err(Error::Columns);
            };
            let fields = self.pending.iter().map(|row| row.0[at].as_ref());
            write(&mut writer, column, fields)?;
            writer.close()?;
        }
        group.close()?;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }
}

fn write<'a>(
    writer: &mut SerializedColumnWriter<'_>,
    column: &Column,
    fields: impl Iterator<Item = Option<&'a Bytes>>,
) -> Result<()> {
    match column.kind {
        Kind::Uuid => typed::<FixedLenByteArrayType>(writer, column, fields, |bytes| {
            let whole = i32::try_from(bytes.len()) == Ok(UUID_BYTES);
            whole.then(|| FixedLenByteArray::from(ByteArray::from(bytes)))
        }),
        Kind::Timestamp => typed::<Int64Type>(writer, column, fields, |mut bytes| {
            let micros = exactly(&bytes, 8)?.then(|| bytes.get_i64())?;
            micros.checked_add(EPOCHS_APART_MICROS)
        }),
        Kind::Text => typed::<ByteArrayType>(writer, column, fields, |bytes| {
            std::str::from_utf8(&bytes).ok()?;
            Some(ByteArray::from(bytes))
        }),
        Kind::Json => typed::<ByteArrayType>(writer, column, fields, |bytes| {
            // The version of its form.
            let text = bytes.strip_prefix(&[1]).map(|_| bytes.slice(1..))?;
            std::str::from_utf8(&text).ok()?;
            Some(ByteArray::from(text))
        }),
        Kind::BigInt => typed::<Int64Type>(writer, column, fields, |mut bytes| {
            exactly(&bytes, 8)?.then(|| bytes.get_i64())
        }),
        Kind::Integer => typed::<Int32Type>(writer, column, fields, |mut bytes| {
            exactly(&bytes, 4)?.then(|| bytes.get_i32())
        }),
    }
}

fn exactly(bytes: &Bytes, length: usize) -> Option<bool> {
    (bytes.len() == length).then_some(true)
}

fn typed<'a, T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    column: &Column,
    fields: impl Iterator<Item = Option<&'a Bytes>>,
    value: impl Fn(Bytes) -> Option<T::T>,
) -> Result<()> {
    let refused = || Error::Field {
        column: column.name.clone(),
    };
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    for field in fields {
        match field {
            Some(bytes) => values.push(value(bytes.clone()).ok_or_else(refused)?),
            None if !column.nullable => return Err(refused()),
            None => {}
        }
        levels.push(i16::from(field.is_some()));
    }
    let levels = column.nullable.then_some(levels.as_slice());
    writer.typed::<T>().write_batch(&values, levels, None)?;
    Ok(())
}

/// From a file's count of microseconds to the wire's.
pub(crate) fn wire_micros(micros: i64) -> Option<i64> {
    micros.checked_sub(EPOCHS_APART_MICROS)
}
