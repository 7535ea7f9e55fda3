//! What was used and what it costs; queue `billing`.

use domain::id::{BillingRunId, OrgId};
use domain::money::Money;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// What one look at all intervals recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metered {
    /// Records, one for an interval and window.
    pub records: i64,
    /// Those of them that take back what was recorded too much.
    pub corrections: i64,
}

/// What one window came to, for whoever looks at it in the UI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub metered: Metered,
    pub credits_expired: u32,
}

pub struct MeteringSteps;

#[activity_definitions]
impl MeteringSteps {
    /// Records what was used up to the end of the last window that is over, by policy. Repeating it
    /// records nothing.
    #[activity(name = "usage.meter")]
    pub fn meter((): ()) -> Result<Metered, ActivityError> {
        unimplemented!()
    }

    /// Takes back what is left of credits whose time is over; how many there were. Repeating it
    /// takes nothing.
    #[activity(name = "credits.expire")]
    pub fn expire((): ()) -> Result<u32, ActivityError> {
        unimplemented!()
    }
}

/// Input of the workflow `BillingRun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingInput {
    /// `None`: the schedule asks. The run gets a row, and the calendar month (UTC) before the
    /// scheduled time; periods that are late are billed anew behind it.
    pub run_id: Option<BillingRunId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenInput {
    pub run_id: Option<BillingRunId>,
    /// Of the workflow that asks.
    pub workflow_id: String,
    /// For when the schedule wanted it, in seconds since 1970; `None`: no schedule asked.
    pub scheduled_seconds: Option<i64>,
    /// Not the month before, but what was billed before all of its use was known, behind this;
    /// `None`: the month.
    pub late_behind: Option<LateBehind>,
}

/// Where the look for late periods goes on: by their start, and by organization.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateBehind {
    /// In seconds since 1970.
    pub start_seconds: i64,
    /// `None`: behind all periods that begin then.
    pub org_id: Option<OrgId>,
}

/// The run, ready to be billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub run_id: BillingRunId,
    /// Whose use alone is billed; `None`: everybody's.
    pub org_id: Option<OrgId>,
    /// Start and end, in seconds since 1970.
    pub period_seconds: (i64, i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostInput {
    pub run_id: BillingRunId,
    /// Accounts behind this one; `None`: from the first on.
    pub after: Option<OrgId>,
}

/// What came of one step's accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The last one looked at; `None`: there was none left.
    pub last: Option<OrgId>,
    /// Somebody called the run off.
    pub called_off: bool,
    pub tally: Tally,
}

/// Accounts by what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Those with an invoice now.
    pub invoiced: u32,
    /// Those that used nothing.
    pub unused: u32,
    /// Those whose period was billed already, with all that is known.
    pub settled: u32,
    /// Those that are left for people.
    pub parked: u32,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.invoiced += more.invoiced;
        self.unused += more.unused;
        self.settled += more.settled;
        self.parked += more.parked;
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Succeeded,
    CalledOff,
    /// A step failed for good.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseInput {
    pub run_id: BillingRunId,
    pub outcome: Outcome,
}

/// The whole run, for whoever looks at it in the UI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Billed {
    pub run_id: BillingRunId,
    /// Start and end, RFC 3339.
    pub period: (String, String),
    pub outcome: Outcome,
    pub invoices: i64,
    pub credit_notes: i64,
    pub accounts_parked: i64,
    /// What the invoices come to, less the credit notes, by currency.
    pub totals: Vec<Money>,
}

pub struct BillingSteps;

#[activity_definitions]
impl BillingSteps {
    /// Records what is not recorded yet of the period, and fixes what the run bills. The run that a
    /// workflow has under way is the same one each time. `None`: no period is late.
    #[activity(name = "billing.open")]
    pub fn open(_: OpenInput) -> Result<Option<Opened>, ActivityError> {
        unimplemented!()
    }

    /// Bills the next accounts, in the order of their ids, in one transaction. What is billed
    /// already is left alone, so repeating it changes nothing.
    #[activity(name = "billing.post")]
    pub fn post(_: PostInput) -> Result<Posted, ActivityError> {
        unimplemented!()
    }

    /// Ends the run and its operation.
    #[activity(name = "billing.close")]
    pub fn close(_: CloseInput) -> Result<Billed, ActivityError> {
        unimplemented!()
    }
}

pub use self::billing_steps::{Close, Open, Post};
pub use self::metering_steps::{Expire, Meter};
