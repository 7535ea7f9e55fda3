//! The parser under texts that are almost right. The corpus is kept in `vectors/corpus`; what
//! proptest finds stands in `proptest-regressions` and is tried first from then on.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Of the 30 s that CI has for all parsers.
const BUDGET: Duration = Duration::from_secs(6);

fn corpus() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

#[derive(Debug, Clone)]
enum Edit {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Cut(prop::sample::Index, prop::sample::Index),
    Copy(prop::sample::Index, prop::sample::Index),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    use prop::sample::Index;
    let token = prop::sample::select(vec![
        &b"{"[..],
        b"}",
        b"[",
        b"\"",
        b",",
        b":",
        b"\\u0000",
        b"1e9",
        b"-1",
        b"null",
        b"\xff",
        b"=",
        b"\"v\":1,",
        b"\"edk\":\"\",",
        b"18446744073709551616",
    ]);
    let edit = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (any::<Index>(), token).prop_map(|(at, token)| Edit::Insert(at, token.to_vec())),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Edit::Cut(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Edit::Copy(from, to)),
    ];
    prop::collection::vec(edit, 0..6)
}

fn apply(mut text: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let length = text.len();
        let at = |index: &prop::sample::Index| index.index(length + 1);
        let range = |a, b| at(a).min(at(b))..at(a).max(at(b));
        match edit {
            Edit::Set(place, byte) if length > 0 => text[place.index(length)] = *byte,
            Edit::Set(..) => {}
            Edit::Insert(place, bytes) => drop(text.splice(at(place)..at(place), bytes.clone())),
            Edit::Cut(a, b) => drop(text.drain(range(a, b))),
            Edit::Copy(a, b) => {
                let copied = text[range(a, b)].to_vec();
                text.splice(at(b)..at(b), copied);
            }
        }
    }
    text
}

/// What is read is whole: written again it is the same, and nothing of it opens unless it is one
/// that was sealed.
fn read(text: &[u8]) -> Result<(), TestCaseError> {
    let Ok(envelope) = Envelope::from_text(text) else {
        return Ok(());
    };
    let again = Envelope::from_json(&envelope.to_json());
    prop_assert_eq!(again, Ok(envelope.clone()));
    let refused = envelope.open(&super::tests::place(1, 2), &super::tests::data_key(3));
    prop_assert_eq!(refused.err(), Some(Refusal::Commitment));
    Ok(())
}

#[test]
fn env_05_fuzz_the_parser() {
    let corpus = corpus();
    assert!(corpus.len() >= 9);
    let started = Instant::now();
    let mut cases = 0_u32;
    for text in &corpus {
        read(text).unwrap();
    }
    while started.elapsed() < BUDGET {
        let config = Config {
            cases: 500,
            ..Config::with_source_file(file!())
        };
        let strategy = (prop::sample::select(corpus.clone()), edits());
        let run =
            TestRunner::new(config).run(&strategy, |(text, edits)| read(&apply(text, &edits)));
        run.unwrap();
        cases += 500;
    }
    assert!(cases >= 500);
}
