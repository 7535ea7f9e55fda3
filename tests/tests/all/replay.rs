//! Invariant 11: every recorded history replays on today's code. A change of order, name or number
//! of a workflow's commands turns this red.
//!
//! Record anew with `BERTH_RECORD_HISTORIES=1 make test` (before the first tagged release; from
//! then on, change workflows with `patched()` and keep the files).

use std::collections::BTreeSet;

use temporalio_client::WorkflowHistory;

/// Each branch of each workflow, by the story that walks it.
const BRANCHES: &[&str] = &[
    "allocation_cancelled_in_ui",
    "allocation_continued",
    "allocation_deleted_early",
    "allocation_extended",
    "allocation_lease_ended",
    "allocation_no_capacity",
    "allocation_no_good_node",
    "allocation_queue_deadline",
    "allocation_release_retried",
    "allocation_released",
    "allocation_second_node",
    "allocation_waited",
    "node_available",
    "node_quarantined",
];

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
    let replayer = worker::history::replayer().expect("a replayer");
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
