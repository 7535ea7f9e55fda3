//! Where ids come from: UUIDv7 (RFC 9562), so that they sort by the time they were made and carry
//! their row's `created_at`.

use time::OffsetDateTime;
use uuid::Uuid;

/// A fresh id of the wanted kind.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where ids are made"
)]
pub fn fresh<T: From<Uuid>>() -> T {
    T::from(Uuid::now_v7())
}

/// The millisecond that a UUIDv7 carries; the `created_at` of a table whose key is
/// `(id, created_at)`.
pub fn created_at(id: Uuid) -> OffsetDateTime {
    let millis = id.as_u128() >> 80;
    let nanos = i128::try_from(millis).unwrap_or_default() * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Before every UUIDv7 that is made at an instant or later.
pub fn first_at(at: OffsetDateTime) -> Uuid {
    let millis = at.unix_timestamp_nanos() / 1_000_000;
    Uuid::from_u128(u128::try_from(millis).unwrap_or_default() << 80)
}
