//! What an allocation is called on its machine.

use crate::id::AllocationId;

/// The tenant's account: `t` and the last 16 hex digits of the id, which are the random ones of a
/// `UUIDv7`. Short enough for `useradd` (32) and for the columns of `ps`.
pub fn for_allocation(allocation: AllocationId) -> String {
    let bits = allocation.uuid().as_u128() & u128::from(u64::MAX);
    format!("t{bits:016x}")
}

/// The principal that a certificate needs to log in to the account.
pub fn principal(allocation: AllocationId) -> String {
    format!("alloc-{}", allocation.uuid().simple())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn names() {
        let id =
            AllocationId::from_uuid(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_00ab));
        assert_eq!(for_allocation(id), "t80000000000000ab");
        assert_eq!(principal(id), "alloc-019900000000700080000000000000ab");
    }
}
