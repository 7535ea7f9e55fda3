//! Messages that are shuffled, doubled, lost or nonsense: the version never goes back, and all
//! replicas end where the database is (POL-04).

use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;

use super::super::{Heard, Live, PolicyClient as _, Rules, Snapshot, Values};
use super::book;

const REPLICAS: usize = 3;

/// Something that happens to one replica.
#[derive(Debug, Clone)]
enum Step {
    /// Somebody writes: the database's version grows, a notice goes out.
    Write,
    /// A notice that went out reaches a replica: any one, however old, as often as it may.
    Hear(usize, prop::sample::Index),
    /// A replica starts to read what the database holds now.
    Read(usize),
    /// What it started to read, any time ago, arrives.
    Arrive(usize, prop::sample::Index),
    Nonsense(usize, Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let replica = 0..REPLICAS;
    prop_oneof![
        Just(Step::Write),
        (replica.clone(), any::<prop::sample::Index>()).prop_map(|(r, at)| Step::Hear(r, at)),
        replica.clone().prop_map(Step::Read),
        (replica.clone(), any::<prop::sample::Index>()).prop_map(|(r, at)| Step::Arrive(r, at)),
        (replica, nonsense()).prop_map(|(r, bytes)| Step::Nonsense(r, bytes)),
    ]
}

/// Bytes that are no notice: noise, and notices that are nearly right.
fn nonsense() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::sample::select(vec![
            r#"{"key":"a","version":"7"}"#,
            r#"{"key":"a","version":-7}"#,
            r#"{"key":"a","version":0}"#,
            r#"{"key":"a","version":7.5}"#,
            r#"{"key":"a","version":99999999999999999999}"#,
            r#"{"version":7}"#,
            r#"{"key":"a"}"#,
            r#"{"key":"a","version":7,"value":1}"#,
            "[]",
            "null",
            "",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn pol_04_versions_never_go_back_and_replicas_converge(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let book = SHARED.with(Arc::clone);
        let at = |version| Arc::new(Snapshot::new(version, Rules::built_in(&book), Values::default()));
        let replicas: Vec<Live> = (0..REPLICAS).map(|_| Live::new(Arc::clone(&book))).collect();
        let mut database = 1_i64;
        let mut notices: Vec<Vec<u8>> = Vec::new();
        let mut reads: Vec<Vec<i64>> = vec![Vec::new(); REPLICAS];
        let mut seen = [0; REPLICAS];
        for step in steps {
            match step {
                Step::Write => {
                    database += 1;
                    notices.push(format!(r#"{{"key":"allocation.gpus_max","version":{database}}}"#).into_bytes());
                }
                Step::Hear(replica, at) if !notices.is_empty() => {
                    let live = &replicas[replica];
                    let index = at.index(notices.len());
                    let told = i64::try_from(index).expect("few") + 2;
                    let expected = if told > live.version() { Heard::News } else { Heard::Known };
                    prop_assert_eq!(live.hear(&notices[index]), expected);
                    if expected == Heard::News {
                        reads[replica].push(database);
                    }
                }
                Step::Read(replica) => reads[replica].push(database),
                Step::Arrive(replica, index) if !reads[replica].is_empty() => {
                    let read = reads[replica][index.index(reads[replica].len())];
                    let before = replicas[replica].version();
                    let newer = replicas[replica].offer(&at(read), Instant::now());
                    prop_assert_eq!(newer, read > before);
                }
                Step::Nonsense(replica, bytes) => {
                    prop_assert_eq!(replicas[replica].hear(&bytes), Heard::Malformed);
                }
                Step::Hear(..) | Step::Arrive(..) => {}
            }
            for (replica, seen) in replicas.iter().zip(&mut seen) {
                prop_assert!(replica.version() >= *seen, "went back");
                prop_assert!(replica.version() <= database, "from nowhere");
                *seen = replica.version();
            }
        }
        // Each looks once without having been told.
        for replica in &replicas {
            replica.offer(&at(database), Instant::now());
            prop_assert_eq!(replica.version(), database);
            prop_assert_eq!(replica.current().map(|s| s.version()), Some(database));
        }
    }
}

thread_local! {
    static SHARED: Arc<super::super::Book> = book();
}
