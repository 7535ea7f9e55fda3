//! Times that callers name: RFC 3339, within two centuries, so that whatever is computed with them can
//! be written down again.

use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::macros::datetime;

const FIRST: OffsetDateTime = datetime!(2000-01-01 0:00 UTC);
const LAST: OffsetDateTime = datetime!(2200-01-01 0:00 UTC);

pub(crate) fn required<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<OffsetDateTime, D::Error> {
    let at = time::serde::rfc3339::deserialize(deserializer)?;
    within(at).ok_or_else(|| serde::de::Error::custom("must be between the years 2000 and 2200"))
}

pub(crate) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<OffsetDateTime>, D::Error> {
    #[derive(Deserialize)]
    struct Given(#[serde(deserialize_with = "required")] OffsetDateTime);

    Ok(Option::<Given>::deserialize(deserializer)?.map(|Given(at)| at))
}

fn within(at: OffsetDateTime) -> Option<OffsetDateTime> {
    (FIRST..LAST).contains(&at).then_some(at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_centuries_are_enough() {
        for (text, taken) in [
            ("2000-01-01T00:00:00Z", true),
            ("2199-12-31T23:59:59.999Z", true),
            ("1999-12-31T23:59:59Z", false),
            ("2200-01-01T00:00:00Z", false),
            ("9999-12-31T23:00:00-02:00", false),
            ("0000-01-01T00:00:00+01:00", false),
            ("tomorrow", false),
        ] {
            assert_eq!(required(json!(text)).is_ok(), taken, "{text}");
        }
        assert_eq!(optional(json!(null)).expect("nothing"), None);
    }
}
