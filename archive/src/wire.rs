//! The binary form of `COPY`.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::{Error, Result};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags and the length of an extension.
const HEADER_BYTES: usize = 11 + 4 + 4;

/// One row. Its fields are as `PostgreSQL` sends their types; `None`: null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Option<Bytes>>);

impl Row {
    /// Appends its form.
    pub fn encode(&self, to: &mut Vec<u8>) {
        // A table has 1,600 columns at most, and a field a gigabyte.
        to.put_i16(self.0.len().try_into().unwrap_or(i16::MAX));
        for field in &self.0 {
            match field {
                Some(bytes) => {
                    to.put_i32(bytes.len().try_into().unwrap_or(i32::MAX));
                    to.put_slice(bytes);
                }
                None => to.put_i32(-1),
            }
        }
    }
}

/// What comes before the first row.
pub fn begin(to: &mut Vec<u8>) {
    to.put_slice(SIGNATURE);
    to.put_i32(0);
    to.put_i32(0);
}

/// What comes after the last row.
pub fn end(to: &mut Vec<u8>) {
    to.put_i16(-1);
}

/// Rows of a stream that comes in pieces of any size.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    begun: bool,
    ended: bool,
}

impl Decoder {
    /// The next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next row; `None`: the rest of it, if there is any, has not come yet.
    pub fn row(&mut self) -> Result<Option<Row>> {
        if self.ended || (!self.begun && !self.header()?) {
            return Ok(None);
        }
        let Some(length) = self.length()? else {
            return Ok(None);
        };
        let mut bytes = self.buffer.split_to(length).freeze();
        let count = bytes.get_i16();
        if count < 0 {
            self.ended = true;
            return Ok(None);
        }
        let fields = (0..count).map(|_| {
            let length = usize::try_from(bytes.get_i32()).ok()?;
            Some(bytes.split_to(length))
        });
        Ok(Some(Row(fields.collect())))
    }

    /// Whether all of it came, and nothing besides.
    pub fn finish(self) -> Result<()> {
        if self.ended && self.buffer.is_empty() {
            Ok(())
        } else {
            Err(Error::Wire("it breaks off"))
        }
    }

    fn header(&mut self) -> Result<bool> {
        if self.buffer.len() < HEADER_BYTES {
            return Ok(false);
        }
        let mut header = self.buffer.split_to(HEADER_BYTES);
        if header.split_to(SIGNATURE.len()) != SIGNATURE[..] {
            return Err(Error::Wire("another signature"));
        }
        if header.get_i32() != 0 || header.get_i32() != 0 {
            return Err(Error::Wire("a flag or an extension that is not known"));
        }
        self.begun = true;
        Ok(true)
    }

    /// How many bytes the next row has, once they are all there.
    fn length(&self) -> Result<Option<usize>> {
        let mut rest = &self.buffer[..];
        let Ok(count) = rest.try_get_i16() else {
            return Ok(None);
        };
        for _ in 0..count {
            let Ok(length) = rest.try_get_i32() else {
                return Ok(None);
            };
            let length = match length {
                -1 => 0,
                other => {
                    usize::try_from(other).map_err(|_| Error::Wire("a length below nothing"))?
                }
            };
            if rest.len() < length {
                return Ok(None);
            }
            rest.advance(length);
        }
        Ok(Some(self.buffer.len() - rest.len()))
    }
}
