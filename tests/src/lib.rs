//! Harness of the integration tests: the real stack, tenants on it, and what a test needs to look
//! at it from outside.
