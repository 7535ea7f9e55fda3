//! Invariant 11: every recorded history replays on today's code. A change of order, name or number
//! of a workflow's commands turns this red.
//!
//! Record anew with `BERTH_RECORD_HISTORIES=1 make test` (before the first tagged release; from
//! then on, change workflows with `patched()` and keep the files).

use std::cell::Cell;
use std::collections::BTreeSet;

use platform::payload::{ENCODING, transcode};
use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::history::v1::History;

/// Each branch of each workflow, by the story that walks it.
const BRANCHES: &[&str] = &[
    "audit_sealing",
    "allocation_cancelled_in_ui",
    "allocation_continued",
    "allocation_degraded",
    "allocation_deleted_early",
    "allocation_extended",
    "allocation_force_released",
    "allocation_lease_ended",
    "allocation_lease_warned",
    "allocation_no_capacity",
    "allocation_no_good_node",
    "allocation_queue_deadline",
    "allocation_release_retried",
    "allocation_released",
    "allocation_second_node",
    "allocation_waited",
    "balance_guard",
    "balance_guard_zero",
    "billing_run",
    "reconciliation",
    "key_rotation_break_glass",
    "key_rotation_scheduled",
    "metering_window",
    "node_available",
    "node_quarantined",
    "node_health_sweep",
    "partition_maintenance",
    "partition_maintenance_audits",
    "partition_maintenance_converts",
    "retention",
    "sweep",
];

/// Histories are kept as Temporal keeps them: sealed, here under a key that everybody knows. One
/// is from before the codec, and still replays.
#[test]
fn env_08_recorded_histories_are_sealed() {
    let folder = tests::stack::workspace().join("tests/histories");
    let codec = tests::look::replay_codec();
    let mut from_before = Vec::new();
    for name in BRANCHES {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).expect("a history");
        let history = serde_json::from_str(&text).expect("JSON");
        let (sealed, plain) = (Cell::new(0), Cell::new(0));
        let looked = transcode(&history, &|payload| {
            let encoding = payload.metadata.get("encoding").map(Vec::as_slice);
            let kind = if encoding == Some(ENCODING.as_bytes()) {
                &sealed
            } else {
                &plain
            };
            kind.set(kind.get() + 1);
            codec.unseal(payload)
        });
        looked.expect("what is sealed opens");
        match (sealed.get(), plain.get()) {
            (0, 1..) => from_before.push(*name),
            (1.., 0) => {}
            mixed => panic!("{name}: {mixed:?} payloads sealed and plain"),
        }
    }
    assert_eq!(from_before, ["node_quarantined"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_history_replays() {
    let folder = tests::stack::workspace().join("tests/histories");
    let mut found = BTreeSet::new();
    let mut histories = Vec::new();
    for entry in std::fs::read_dir(folder).expect("recorded histories") {
        let path = entry.expect("a history").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        found.insert(path.file_stem().unwrap().to_string_lossy().into_owned());
        let json = std::fs::read(&path).expect("a history");
        histories.push(WorkflowHistory::from_json(&json).expect("a history in the SDK's own JSON"));
    }
    let wanted: BTreeSet<_> = BRANCHES.iter().map(ToString::to_string).collect();
    assert_eq!(
        found, wanted,
        "a branch without history, or a history without branch"
    );
    let replayer =
        worker::history::replayer(tests::look::replay_codec().converter()).expect("a replayer");
    let results = replayer
        .replay_workflows(histories)
        .await
        .expect("replays run");
    let failures: Vec<_> = results
        .into_iter()
        .filter_map(|r| r.replay_failure)
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Of the beginnings of all histories, one in so many is replayed: all would take minutes.
const STRIDE: usize = 7;

/// A run is looked at when it is anywhere: a history replays from its beginning to any of its events.
#[tokio::test(flavor = "multi_thread")]
async fn every_beginning_of_a_recorded_history_replays() {
    let folder = tests::stack::workspace().join("tests/histories");
    let mut beginnings = Vec::new();
    for name in BRANCHES {
        let json = std::fs::read(folder.join(format!("{name}.json"))).expect("a history");
        let history = WorkflowHistory::from_json(&json).expect("a history");
        let events = history.into_events().await.expect("its events");
        let mut lengths = BTreeSet::new();
        for end in 1..=events.len() {
            let decided = worker::history::decided(events[..end].to_vec());
            let new = decided.filter(|events| lengths.insert(events.len()));
            beginnings.extend(new.map(|events| (*name, end, events)));
        }
        assert!(lengths.len() > 1, "{name}");
    }
    let beginnings: Vec<_> = beginnings.into_iter().step_by(STRIDE).collect();
    let histories = beginnings.iter().map(|(_, _, events)| {
        let events = events.clone();
        WorkflowHistory::from(History { events })
    });
    let replayer =
        worker::history::replayer(tests::look::replay_codec().converter()).expect("a replayer");
    let results = replayer.replay_workflows(histories).await;
    let results = results.expect("replays run").into_iter();
    for ((name, end, _), result) in beginnings.iter().zip(results) {
        assert_eq!(result.replay_failure, None, "{name} up to {end}");
    }
}
