//! Rows out of a file.

use bytes::{BufMut as _, Bytes, BytesMut};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArrayType, DataType, FixedLenByteArrayType, Int32Type, Int64Type};
use parquet::file::reader::{ChunkReader, FileReader as _, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;

use crate::column::{self, Column, Kind};
use crate::wire::Row;
use crate::write::wire_micros;
use crate::{Error, Result};

/// The form of a JSON value on the wire.
const JSON_VERSION: u8 = 1;

/// Reads one file. It must be known to be the one that was written: what a forged one makes of this is
/// not defined.
pub struct Reader<R: ChunkReader + 'static> {
    file: SerializedFileReader<R>,
    columns: Vec<Column>,
    group: usize,
}

impl<R: ChunkReader + 'static> Reader<R> {
    /// The file must have these columns, and no others.
    pub fn new(from: R, columns: Vec<Column>) -> Result<Self> {
        let file = SerializedFileReader::new(from)?;
        let has = file.metadata().file_metadata().schema();
        if has.get_fields() != column::schema(&columns)?.get_fields() {
            return Err(Error::Columns);
        }
        Ok(Self {
            file,
            columns,
            group: 0,
        })
    }

    /// The next rows, some ten thousands at once; `None`: there are no more.
    pub fn rows(&mut self) -> Result<Option<Vec<Row>>> {
        if self.group == self.file.num_row_groups() {
            return Ok(None);
        }
        let group = self.file.get_row_group(self.group)?;
        self.group += 1;
        let count = usize::try_from(group.metadata().num_rows()).map_err(|_| Error::Columns)?;
        let mut rows = vec![Row(Vec::with_capacity(self.columns.len())); count];
        for (at, column) in self.columns.iter().enumerate() {
            let fields = read(&*group, at, column, count)?;
            for (row, field) in rows.iter_mut().zip(fields) {
                row.0.push(field);
            }
        }
        Ok(Some(rows))
    }
}

fn read(
    group: &dyn RowGroupReader,
    at: usize,
    column: &Column,
    count: usize,
) -> Result<Vec<Option<Bytes>>> {
    match column.kind {
        Kind::Uuid => typed::<FixedLenByteArrayType>(group, at, column, count, |value| {
            Some(Bytes::copy_from_slice(value.data()))
        }),
        Kind::Text => typed::<ByteArrayType>(group, at, column, count, |value| {
            Some(Bytes::copy_from_slice(value.data()))
        }),
        Kind::Json => typed::<ByteArrayType>(group, at, column, count, |value| {
            let mut bytes = BytesMut::with_capacity(value.len() + 1);
            bytes.put_u8(JSON_VERSION);
            bytes.put_slice(value.data());
            Some(bytes.freeze())
        }),
        Kind::Timestamp => typed::<Int64Type>(group, at, column, count, |value| {
            Some(Bytes::copy_from_slice(&wire_micros(*value)?.to_be_bytes()))
        }),
        Kind::BigInt => typed::<Int64Type>(group, at, column, count, |value| {
            Some(Bytes::copy_from_slice(&value.to_be_bytes()))
        }),
        Kind::Integer => typed::<Int32Type>(group, at, column, count, |value| {
            Some(Bytes::copy_from_slice(&value.to_be_bytes()))
        }),
    }
}

fn typed<T: DataType>(
    group: &dyn RowGroupReader,
    at: usize,
    column: &Column,
    count: usize,
    field: impl Fn(&T::T) -> Option<Bytes>,
) -> Result<Vec<Option<Bytes>>> {
    let refused = || Error::Field {
        column: column.name.clone(),
    };
    let reader = group.get_column_reader(at)?;
    let mut reader = get_typed_column_reader::<T>(reader);
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let mut read = 0;
    while read < count {
        let levels = column.nullable.then_some(&mut levels);
        let (records, ..) = reader.read_records(count - read, levels, None, &mut values)?;
        if records == 0 {
            return Err(refused());
        }
        read += records;
    }
    let mut values = values.iter();
    let mut next = || {
        let value = values.next().ok_or_else(refused)?;
        field(value).ok_or_else(refused).map(Some)
    };
    if !column.nullable {
        return (0..count).map(|_| next()).collect();
    }
    levels
        .iter()
        .map(|level| if *level == 0 { Ok(None) } else { next() })
        .collect()
}
