use proptest::prelude::*;
use time::macros::datetime;

use super::*;

fn instants() -> impl Strategy<Value = OffsetDateTime> {
    // 2000 to 2199.
    (946_684_800_i64..7_258_000_000).prop_map(|seconds| {
        OffsetDateTime::from_unix_timestamp(seconds).expect("within what can be told")
    })
}

fn intervals() -> impl Strategy<Value = Interval> {
    prop::sample::select(Interval::VARIANTS)
}

#[test]
fn edges_are_where_a_calendar_has_them() {
    let at = datetime!(2024-02-28 23:59:59 UTC);
    let cases = [
        (Interval::Day, datetime!(2024-02-29 0:00 UTC)),
        (Interval::Week, datetime!(2024-03-04 0:00 UTC)),
        (Interval::Month, datetime!(2024-03-01 0:00 UTC)),
    ];
    for (interval, edge) in cases {
        assert_eq!(interval.edge_after(at), edge, "{interval:?}");
        assert!(interval.edge_after(edge) > edge, "{interval:?}");
    }
    let elsewhere = datetime!(2024-02-29 01:00 +02:00);
    let edge = Interval::Day.edge_after(elsewhere);
    assert_eq!(edge, datetime!(2024-02-29 0:00 UTC));
}

#[test]
fn numbers_stand_for_intervals() {
    for table in Guarded::ALL {
        let policy = table.settings().interval;
        for value in policy.min..=policy.max {
            assert!(Interval::from_repr(value).is_some(), "{table} {value}");
        }
        let settings = table.settings();
        for policy in [policy, settings.ahead, settings.kept] {
            let prefix = format!("partition.{table}_");
            assert!(policy.key.starts_with(&prefix), "{}", policy.key);
        }
    }
}

#[test]
fn use_money_and_the_audit_log_stay_for_a_while() {
    for table in Guarded::ALL {
        assert_eq!(table.kept(0), None);
        let least = table.kept(1).expect("not for good");
        let records = matches!(table.settings().archive, Archiving::Always);
        assert_eq!(
            least,
            if records {
                Duration::days(93)
            } else {
                Duration::seconds(1)
            }
        );
        let year = Duration::days(365);
        assert_eq!(table.kept(year.whole_seconds()), Some(year));
    }
}

proptest! {
    #[test]
    fn a_bound_leaves_a_whole_interval(now in instants(), interval in intervals()) {
        let bound = interval.bound(now);
        let first = interval.edge_after(now);
        prop_assert!(bound >= interval.edge_after(first));
        prop_assert!(bound - now >= Duration::days(4));
        prop_assert_eq!(interval.edge_after(bound - Duration::seconds(1)), bound);
        prop_assert!(!interval.is_near(bound, now));
        prop_assert!(interval.is_near(bound, bound));
    }

    #[test]
    fn what_is_missing_joins_what_there_is(
        now in instants(), interval in intervals(), ahead in 1_usize..10, behind in 0_i64..800,
    ) {
        let until = interval.edge_after(now - Duration::days(behind));
        let missing = interval.missing(until, ahead, now);
        let mut edge = until;
        for (since, until) in &missing {
            prop_assert_eq!(*since, edge);
            prop_assert_eq!(interval.edge_after(*since), *until);
            edge = *until;
        }
        let coming = missing.iter().filter(|(since, _)| *since > now).count();
        prop_assert_eq!(coming, ahead);
        // Once they are there, nothing is missing.
        prop_assert!(interval.missing(edge, ahead, now).is_empty());
    }

    #[test]
    fn another_interval_goes_on_where_the_old_one_ended(
        now in instants(), old in intervals(), new in intervals(), ahead in 1_usize..10,
    ) {
        let until = old.bound(now);
        let mut edge = until;
        for (since, until) in new.missing(until, ahead, now) {
            prop_assert_eq!(since, edge);
            prop_assert!(since < until);
            edge = until;
        }
        prop_assert!(edge >= until);
    }
}
