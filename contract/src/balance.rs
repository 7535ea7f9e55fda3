//! Prepaid balances; queue `billing`.

use domain::balance::BalanceState;
use domain::id::OrgId;
use domain::money::Money;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// Input of the workflow `BalanceGuard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardInput {
    pub org_id: OrgId,
}

/// What one look at a balance saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub state: BalanceState,
    pub available: Money,
    pub burn_micros_per_hour: i64,
    /// When it ends if nothing changes, in seconds since 1970; `None`: it does not.
    pub zero_at_seconds: Option<i64>,
    /// What is there is to be released.
    pub release: bool,
    /// When to look again at the latest, in milliseconds; `None`: nothing runs.
    pub next_millis: Option<u64>,
}

pub struct BalanceSteps;

#[activity_definitions]
impl BalanceSteps {
    /// Adds up what an organization has and notes the state of it; who has to be told, is. `None`:
    /// nobody pays beforehand. Repeating it tells nobody twice.
    #[activity(name = "balance.look")]
    pub fn look(_: OrgId) -> Result<Option<Seen>, ActivityError> {
        unimplemented!()
    }

    /// Ends everything that a depleted organization has, as of the instant of zero; how much that was.
    /// Repeating it ends what is left.
    #[activity(name = "balance.release")]
    pub fn release(_: OrgId) -> Result<u32, ActivityError> {
        unimplemented!()
    }
}

pub use self::balance_steps::{Look, Release};
