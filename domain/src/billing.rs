//! Which time is billed together.

use time::{OffsetDateTime, Time, UtcOffset};

/// The longest period that one bill may be for, in days: a leap year.
pub const PERIOD_MAX_DAYS: i64 = 366;

/// A stretch of time that is billed together: from its start until just before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub start: OffsetDateTime,
    pub end: OffsetDateTime,
}

/// How long one stretch of a chart is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Bucket {
    Hour,
    Day,
}

impl Bucket {
    pub fn length(self) -> time::Duration {
        match self {
            Self::Hour => time::Duration::HOUR,
            Self::Day => time::Duration::DAY,
        }
    }
}

/// Why a stretch of time cannot be billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    #[error("must be after the start")]
    Empty,
    #[error("must be at most {PERIOD_MAX_DAYS} days after the start")]
    Long,
    #[error("must have passed: what is used until then is not known yet")]
    NotOver,
    #[error("must be a whole second")]
    Fraction,
}

impl Period {
    /// A stretch that can be billed at `now`.
    pub fn new(
        start: OffsetDateTime,
        end: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<Self, PeriodError> {
        if start.nanosecond() != 0 || end.nanosecond() != 0 {
            return Err(PeriodError::Fraction);
        }
        if start >= end {
            return Err(PeriodError::Empty);
        }
        if (end - start).whole_days() > PERIOD_MAX_DAYS {
            return Err(PeriodError::Long);
        }
        if end > now {
            return Err(PeriodError::NotOver);
        }
        Ok(Self { start, end })
    }

    /// Whether it is a whole calendar month (UTC).
    pub fn is_month(self) -> bool {
        self == Self::month_before(self.end)
    }

    /// The calendar month (UTC) that was over last at an instant.
    pub fn month_before(at: OffsetDateTime) -> Self {
        let first = |at: OffsetDateTime| {
            let day = at.date().replace_day(1).unwrap_or(at.date());
            day.with_time(Time::MIDNIGHT).assume_utc()
        };
        let end = first(at.to_offset(UtcOffset::UTC));
        Self {
            start: first(end - time::Duration::DAY),
            end,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_month_before_is_a_whole_one() {
        for (at, start, end) in [
            (
                datetime!(2028-03-01 0:00 UTC),
                datetime!(2028-02-01 0:00 UTC),
                datetime!(2028-03-01 0:00 UTC),
            ),
            (
                datetime!(2026-01-31 23:59:59 UTC),
                datetime!(2025-12-01 0:00 UTC),
                datetime!(2026-01-01 0:00 UTC),
            ),
            // In Kiritimati it is the first already.
            (
                datetime!(2026-06-01 3:00 +14),
                datetime!(2026-04-01 0:00 UTC),
                datetime!(2026-05-01 0:00 UTC),
            ),
        ] {
            assert_eq!(Period::month_before(at), Period { start, end }, "{at}");
        }
    }

    #[test]
    fn what_cannot_be_billed_says_why() {
        let (start, now) = (
            datetime!(2026-01-01 0:00 UTC),
            datetime!(2028-01-01 0:00 UTC),
        );
        for (end, why) in [
            (start, PeriodError::Empty),
            (datetime!(2025-12-31 0:00 UTC), PeriodError::Empty),
            (datetime!(2027-01-03 0:00 UTC), PeriodError::Long),
            (datetime!(2026-01-01 0:00:00.5 UTC), PeriodError::Fraction),
        ] {
            assert_eq!(Period::new(start, end, now), Err(why), "{end}");
        }
        let tomorrow = now + time::Duration::DAY;
        assert_eq!(Period::new(now, tomorrow, now), Err(PeriodError::NotOver));
    }

    proptest! {
        #[test]
        fn months_follow_each_other(seconds in 0_i64..4_000_000_000) {
            let at = OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
            let month = Period::month_before(at);
            prop_assert!(month.start < month.end && month.end <= at && month.is_month());
            prop_assert_eq!(Period::month_before(month.end), month);
            prop_assert_eq!(Period::month_before(month.start).end, month.start);
        }
    }
}
