//! Tenants of a test.
/// x
#[derive(Debug)] pub struct Tenant;
