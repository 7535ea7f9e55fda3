use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::{option, string};

use super::*;

fn columns() -> Vec<Column> {
    [
        ("id", Kind::Uuid, false),
        ("at", Kind::Timestamp, false),
        ("text", Kind::Text, true),
        ("data", Kind::Json, false),
        ("micros", Kind::BigInt, true),
        ("count", Kind::Integer, false),
        ("other", Kind::Uuid, true),
        ("then", Kind::Timestamp, true),
    ]
    .map(|(name, kind, nullable)| Column {
        name: name.to_owned(),
        kind,
        nullable,
    })
    .to_vec()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let bytes = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    let micros = || -1_000_000_000_000_000i64..1_000_000_000_000_000;
    let text = || string::string_regex("(?s).{0,40}").expect("an expression");
    let row = (
        any::<[u8; 16]>(),
        micros(),
        option::of(text()),
        text(),
        option::of(any::<i64>()),
        any::<i32>(),
        option::of(any::<[u8; 16]>()),
        option::of(micros()),
    );
    let row = row.prop_map(move |(id, at, said, data, money, count, other, then)| {
        let mut json = vec![1];
        json.extend_from_slice(
            serde_json::to_string(&data)
                .expect("text as JSON")
                .as_bytes(),
        );
        Row(vec![
            Some(bytes(&id)),
            Some(bytes(&at.to_be_bytes())),
            said.map(|text| bytes(text.as_bytes())),
            Some(Bytes::from(json)),
            money.map(|micros| bytes(&micros.to_be_bytes())),
            Some(bytes(&count.to_be_bytes())),
            other.map(|id| bytes(&id)),
            then.map(|at| bytes(&at.to_be_bytes())),
        ])
    });
    vec(row, 0..60)
}

fn file(rows: &[Row]) -> Bytes {
    let mut writer = Writer::new(Vec::new(), columns()).expect("a file");
    for row in rows {
        writer.push(row.clone()).expect("a row");
    }
    writer.finish().expect("an end").into()
}

fn all(file: Bytes) -> Result<Vec<Row>> {
    let mut reader = Reader::new(file, columns())?;
    let mut rows = Vec::new();
    while let Some(more) = reader.rows()? {
        rows.extend(more);
    }
    Ok(rows)
}

fn digest(rows: &[Row]) -> (u64, Digest) {
    let mut digest = RowDigest::default();
    for row in rows {
        digest.update(row);
    }
    digest.finish()
}

proptest! {
    #[test]
    fn what_goes_into_a_file_comes_out_of_it(rows in rows()) {
        let back = all(file(&rows)).expect("rows");
        prop_assert_eq!(digest(&back), digest(&rows));
        prop_assert_eq!(back, rows);
    }

    #[test]
    fn a_stream_may_come_in_pieces_of_any_size(rows in rows(), size in 1usize..200) {
        let mut stream = Vec::new();
        begin(&mut stream);
        for row in &rows {
            row.encode(&mut stream);
        }
        end(&mut stream);
        let mut decoder = Decoder::default();
        let mut back = Vec::new();
        for piece in stream.chunks(size) {
            decoder.push(piece);
            while let Some(row) = decoder.row().expect("a row") {
                back.push(row);
            }
        }
        decoder.finish().expect("an end");
        prop_assert_eq!(back, rows);
    }

    #[test]
    fn any_other_rows_have_another_digest(rows in rows(), at in any::<prop::sample::Index>(), bit in any::<u8>()) {
        prop_assume!(!rows.is_empty());
        let before = digest(&rows);
        let at = at.index(rows.len());
        let mut fewer = rows.clone();
        let lost = fewer.remove(at);
        prop_assert_ne!(digest(&fewer), before);
        let mut more = rows.clone();
        more.insert(at, lost);
        prop_assert_ne!(digest(&more), before);
        let mut changed = rows.clone();
        let mut id = changed[at].0[0].take().expect("an id").to_vec();
        id[usize::from(bit / 8) % 16] ^= 1 << (bit % 8);
        changed[at].0[0] = Some(id.into());
        prop_assert_ne!(digest(&changed), before);
    }
}

#[test]
fn a_stream_that_breaks_off_is_none() {
    let mut stream = Vec::new();
    begin(&mut stream);
    Row(vec![Some(Bytes::from_static(b"text")), None]).encode(&mut stream);
    end(&mut stream);
    for length in 0..stream.len() {
        let mut decoder = Decoder::default();
        decoder.push(&stream[..length]);
        while decoder.row().expect("no row but a whole one").is_some() {}
        assert!(decoder.finish().is_err(), "{length}");
    }
    let mut decoder = Decoder::default();
    decoder.push(b"COPY this, and that");
    assert!(decoder.row().is_err());
}

#[test]
fn rows_that_the_columns_do_not_allow_are_refused() {
    let mut writer = Writer::new(Vec::new(), columns()).expect("a file");
    assert!(writer.push(Row(vec![None])).is_err());
    let mut row = Row(vec![None; columns().len()]);
    writer.push(row.clone()).expect("as many fields as columns");
    assert!(matches!(writer.finish(), Err(Error::Field { column }) if column == "id"));
    let mut writer = Writer::new(Vec::new(), columns()).expect("a file");
    row.0[0] = Some(Bytes::from_static(b"short"));
    writer.push(row).expect("as many fields as columns");
    assert!(matches!(writer.finish(), Err(Error::Field { column }) if column == "id"));
}

#[test]
fn a_file_with_other_columns_is_refused() {
    let file = file(&[]);
    let mut other = columns();
    other[4].name = "seconds".to_owned();
    assert!(matches!(Reader::new(file, other), Err(Error::Columns)));
}

#[test]
fn a_row_reads_as_an_object() {
    let id = [7; 16];
    let at = 86_400_000_001i64;
    let row = Row(vec![
        Some(Bytes::copy_from_slice(&id)),
        Some(Bytes::copy_from_slice(&at.to_be_bytes())),
        None,
        Some(Bytes::from_static(b"\x01{\"a\": [1]}")),
        Some(Bytes::copy_from_slice(&(-5i64).to_be_bytes())),
        Some(Bytes::copy_from_slice(&6i32.to_be_bytes())),
        None,
        None,
    ]);
    let object = object(&columns(), &row).expect("an object");
    let expected = serde_json::json!({
        "id": "07070707-0707-0707-0707-070707070707",
        "at": "2000-01-02T00:00:00.000001Z",
        "text": null,
        "data": {"a": [1]},
        "micros": -5,
        "count": 6,
        "other": null,
        "then": null,
    });
    assert_eq!(serde_json::Value::Object(object), expected);
}
