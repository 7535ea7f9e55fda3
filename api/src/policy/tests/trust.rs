//! What a request goes by, and for how long a snapshot is trusted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use db::authorization_policy::AuthorizationPolicy;
use db::policy::{Override, Place};
use domain::policy::{GPUS_MAX, Scope};
use domain::role::Role;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::live::TRUSTED;
use super::super::{Content, Live, PolicyClient, Question, Snapshot, Thing, Unusable, Who};
use super::{book, org, principal, project};

const FORBID: &str = "forbid (principal, action == Berth::Action::\"project.create\", resource);";

fn content(version: i64, gpus: i64, rule: Option<&str>) -> Content {
    let value = |place, value: i64| Override {
        key: GPUS_MAX.key.to_owned(),
        place,
        value: json!(value),
    };
    let rule = rule.map(|text| AuthorizationPolicy {
        id: Uuid::from_u128(1).into(),
        org_id: None,
        name: "rule".to_owned(),
        policy: text.to_owned(),
        updated_by: None,
        version: 1,
        created_at: OffsetDateTime::UNIX_EPOCH,
        updated_at: OffsetDateTime::UNIX_EPOCH,
    });
    Content {
        version,
        values: vec![
            value(Place::Platform, gpus),
            value(Place::Organization(org(1)), gpus + 1),
            value(Place::Project(project(1)), gpus + 2),
            Override {
                key: "of.a_newer_build".to_owned(),
                place: Place::Platform,
                value: json!("x"),
            },
        ],
        rules: rule.into_iter().collect(),
    }
}

fn live_at(content: &Content) -> Live {
    let live = Live::new(book());
    let snapshot = Snapshot::read(live.book(), content, None).expect("sound");
    assert!(live.offer(&Arc::new(snapshot), Instant::now()));
    live
}

fn may_create(policy: &dyn PolicyClient) -> bool {
    let owner = principal(org(1), Role::Owner, BTreeMap::new());
    policy
        .decide(&Question {
            who: Who::Person(&owner),
            action: "project.create",
            thing: Thing::Organization(org(1)),
        })
        .allowed
}

#[test]
fn pol_01_a_request_sees_one_version_from_start_to_end() {
    let live = live_at(&content(2, 8, None));
    let pinned = live.pin("project.create", Instant::now()).expect("loaded");
    let next = content(3, 80, Some(FORBID));
    let snapshot = Snapshot::read(live.book(), &next, live.current().as_deref()).expect("sound");
    assert!(live.offer(&Arc::new(snapshot), Instant::now()));
    assert_eq!(pinned.version(), 2);
    assert_eq!(pinned.value(&GPUS_MAX, Scope::Platform), 8);
    assert!(may_create(&*pinned));
    let later = live.pin("project.create", Instant::now()).expect("loaded");
    assert_eq!(later.version(), 3);
    assert_eq!(later.value(&GPUS_MAX, Scope::Platform), 80);
    assert!(!may_create(&*later));
}

#[test]
fn project_beats_organization_beats_platform_beats_default() {
    let snapshot = Snapshot::read(&book(), &content(1, 8, None), None).expect("sound");
    for (scope, expected) in [
        (Scope::Platform, 8),
        (Scope::Organization(org(1)), 9),
        (Scope::Organization(org(2)), 8),
        (Scope::Project(org(1), project(1)), 10),
        (Scope::Project(org(1), project(2)), 9),
        (Scope::Project(org(2), project(2)), 8),
    ] {
        assert_eq!(snapshot.value(&GPUS_MAX, scope), expected, "{scope:?}");
    }
    let lease = &domain::policy::LEASE;
    assert_eq!(snapshot.value(lease, Scope::Platform), lease.default);
}

#[test]
fn pol_05_what_is_invalid_is_not_loaded_at_all() {
    let book = book();
    assert!(Snapshot::read(&book, &content(2, 8, Some(FORBID)), None).is_ok());
    for bad in [
        content(2, -5, None),
        content(2, 8, Some("permit (nonsense);")),
        content(
            2,
            8,
            Some("permit (principal, action, resource) when { principal.x };"),
        ),
    ] {
        let found = Snapshot::read(&book, &bad, None).expect_err("not sound");
        assert!(
            ["apol_", "allocation."]
                .iter()
                .any(|row| found.row.starts_with(row))
        );
    }
}

#[test]
fn pol_05_a_snapshot_is_trusted_for_ten_minutes() {
    let live = Live::new(book());
    let start = Instant::now();
    let pin = |action, now| live.pin(action, now).map(|policy| policy.version());
    let (work, mend) = ("project.create", "authorization_policy.delete");
    assert_eq!(pin(work, start), Err(Unusable::NotLoaded));
    assert_eq!(pin(mend, start), Ok(0), "the built-in rules alone");
    let snapshot = Snapshot::read(live.book(), &content(2, 8, None), None).expect("sound");
    live.offer(&Arc::new(snapshot), start);
    assert_eq!(pin(work, start + TRUSTED), Ok(2), "the last good one");
    let late = start + TRUSTED + Duration::from_secs(1);
    assert_eq!(pin(work, late), Err(Unusable::TooOld));
    assert_eq!(pin(mend, late), Ok(0), "the way back stays open");
    // What was asked for earlier and comes later does not make it older.
    live.confirm(late);
    live.confirm(start);
    assert_eq!(pin(work, late + TRUSTED), Ok(2));
    assert_eq!(
        pin(work, late + TRUSTED + Duration::from_secs(1)),
        Err(Unusable::TooOld)
    );
}
