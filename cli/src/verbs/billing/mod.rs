//! `berth billing`: prices, use, money and invoices. What operators alone may do needs `--admin`.

mod findings;
mod preview;
mod views;

use std::str::FromStr;

use clap::Subcommand;
use domain::money::{Money, NotMoney};
use serde_json::json;

use self::findings::{Finding, Reconciliation};
use self::preview::PreviewArgs;
use self::views::{
    Account, Balance, Counted, Credit, Entry, Invoice, Line, Parked, Price, Run as BillingRun,
    Usage,
};
use super::exit::Result;
use super::group::Run;
use super::list::{Page, PageArgs};
use super::session::Session;
use super::wait::{KeyArgs, WaitArgs, conclude};
use super::{body, id};
use crate::client::{Call, Operation};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show what the organization has
    Balance,
    /// Show what was used, by hour or day
    Usage {
        /// From here on (RFC 3339)
        #[arg(value_name = "START")]
        start: String,
        /// Until just before
        #[arg(value_name = "END")]
        end: String,
        /// How long one row is
        #[arg(long, value_parser = ["hour", "day"], default_value = "day")]
        bucket: String,
        /// Only this project
        #[arg(long, value_name = "PROJECT", value_parser = id::project)]
        project: Option<String>,
    },
    /// Show what SKUs cost
    Prices {
        #[arg(long)]
        sku: Option<String>,
        /// Only those in this currency
        #[arg(long)]
        currency: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show invoices and credit notes, newest first
    Invoices(PageArgs),
    /// Show one of them
    Invoice {
        #[arg(value_name = "INVOICE", value_parser = id::invoice)]
        id: String,
    },
    /// Show its lines
    Lines {
        #[arg(value_name = "INVOICE", value_parser = id::invoice)]
        id: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show each record that a line counts
    Explain {
        #[arg(value_name = "INVOICE", value_parser = id::invoice)]
        id: String,
        #[arg(value_name = "LINE", value_parser = id::invoice_line)]
        line: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show the movements of the organization's money, newest first
    Ledger {
        /// Only those of this account, such as `receivable`
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Set how much an hour of everything together may cost
    Cap {
        /// Such as 'USD 80', or `none`
        #[arg(value_name = "AMOUNT")]
        per_hour: Cap,
    },
    /// Show on which terms organizations use what they use (--admin)
    Accounts {
        #[arg(long, value_parser = ["invoiced", "prepaid"])]
        terms: Option<String>,
        #[arg(long, value_parser = ["healthy", "low", "auto_release_pending", "depleted"])]
        state: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Let an organization pay before or after the use (--admin)
    Terms {
        #[arg(value_name = "ORGANIZATION", value_parser = id::organization)]
        organization: String,
        #[arg(value_parser = ["invoiced", "prepaid"])]
        terms: String,
        /// Why; one line
        #[arg(long)]
        reason: String,
    },
    /// Set what one GPU of an SKU costs for an hour (--admin)
    SetPrice(PriceArgs),
    /// See what a price would have meant for the use of a time that has passed (--admin)
    PreviewPrice(PreviewArgs),
    /// Give an organization money (--admin)
    Give(GiveArgs),
    /// Show what organizations were given (--admin)
    Credits(PageArgs),
    /// Bill a period (--admin)
    Run(RunArgs),
    /// Call a run off; what it has billed stays (--admin)
    CancelRun {
        /// The run's operation
        #[arg(value_name = "OPERATION", value_parser = id::operation)]
        id: String,
        /// Why, for the audit log; one line
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Withdraw a price that is announced and not in force (--admin)
    WithdrawPrice {
        #[arg(value_name = "PRICE", value_parser = id::price)]
        id: String,
    },
    /// Show billing runs, newest first (--admin)
    Runs(PageArgs),
    /// Show one of them (--admin)
    GetRun {
        #[arg(value_name = "RUN", value_parser = id::billing_run)]
        id: String,
    },
    /// Show comparisons of use, lines, ledger and machines, newest first (--admin)
    Reconciliations(PageArgs),
    /// Show where one of them found a difference (--admin)
    Findings {
        #[arg(value_name = "RECONCILIATION", value_parser = id::reconciliation)]
        id: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show the accounts that a run left for people (--admin)
    Parked {
        #[arg(value_name = "RUN", value_parser = id::billing_run)]
        id: String,
        #[command(flatten)]
        page: PageArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct PriceArgs {
    #[arg(value_name = "SKU")]
    sku: String,
    /// Such as 'USD 2.50'
    #[arg(value_name = "PRICE")]
    price: Money,
    /// From when on (RFC 3339) [default: from now on]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Why; one line
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct GiveArgs {
    #[arg(value_name = "ORGANIZATION", value_parser = id::organization)]
    organization: String,
    /// Such as 'EUR 100'
    #[arg(value_name = "AMOUNT")]
    amount: Money,
    /// Why; one line
    #[arg(long)]
    reason: String,
    /// When what is left of it is taken back (RFC 3339) [default: it stays]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Use is paid from the lowest first [default: 100]
    #[arg(long)]
    priority: Option<u16>,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Start of the period (RFC 3339)
    #[arg(value_name = "START")]
    start: String,
    /// Its end, which has passed
    #[arg(value_name = "END")]
    end: String,
    /// Only this organization
    #[arg(long, value_name = "ORGANIZATION", value_parser = id::organization)]
    organization: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// An amount, or `none`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cap(Option<Money>);

impl FromStr for Cap {
    type Err = NotMoney;

    fn from_str(text: &str) -> std::result::Result<Self, NotMoney> {
        match text {
            "none" => Ok(Self(None)),
            amount => amount.parse().map(|cap| Self(Some(cap))),
        }
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Balance => session.get::<Balance>("balance").await,
            Self::Usage {
                start,
                end,
                bucket,
                project,
            } => {
                let call = Call::get("usage")
                    .with_query("start", Some(start))
                    .with_query("end", Some(end))
                    .with_query("bucket", Some(bucket))
                    .with_query("project_id", project);
                session.call::<Page<Usage>>(&call).await
            }
            Self::Prices {
                sku,
                currency,
                page,
            } => {
                let call = Call::get("prices")
                    .with_query("sku", sku)
                    .with_query("currency", currency);
                session.call::<Page<Price>>(&page.apply(call)).await
            }
            Self::Invoices(page) => list::<Invoice>(session, "invoices", page).await,
            Self::Invoice { id } => session.get::<Invoice>(&format!("invoices/{id}")).await,
            Self::Lines { id, page } => {
                list::<Line>(session, &format!("invoices/{id}/lines"), page).await
            }
            Self::Explain { id, line, page } => {
                let path = format!("invoices/{id}/lines/{line}/records");
                list::<Counted>(session, &path, page).await
            }
            Self::Ledger { account, page } => {
                let call = Call::get("ledger-entries").with_query("account", account);
                session.call::<Page<Entry>>(&page.apply(call)).await
            }
            Self::Cap { per_hour } => {
                let body = json!({ "per_hour": per_hour.0 });
                let call = Call::put("balance/spend-cap").with_body(body);
                session.call::<Account>(&call).await
            }
            Self::Accounts { terms, state, page } => {
                let call = Call::get("admin/billing-accounts")
                    .with_query("terms", terms)
                    .with_query("state", state);
                session.call::<Page<Account>>(&page.apply(call)).await
            }
            Self::Terms {
                organization,
                terms,
                reason,
            } => {
                let path = format!("admin/billing-accounts/{organization}/terms");
                let body = json!({ "terms": terms, "reason": reason });
                session
                    .call::<Account>(&Call::put(&path).with_body(body))
                    .await
            }
            Self::SetPrice(args) => args.run(session).await,
            Self::PreviewPrice(args) => args.run(session).await,
            Self::Give(args) => args.run(session).await,
            Self::Credits(page) => list::<Credit>(session, "admin/credits", page).await,
            Self::Run(args) => args.run(session).await,
            Self::CancelRun { id, reason, key } => {
                let path = format!("admin/operations/{id}:cancel");
                let call = Call::post(&path, key.key()).with_body(json!({ "reason": reason }));
                session.call::<Operation>(&call).await
            }
            Self::WithdrawPrice { id } => session.delete(&format!("admin/prices/{id}"), &id).await,
            Self::Runs(page) => list::<BillingRun>(session, "admin/billing-runs", page).await,
            Self::GetRun { id } => {
                let path = format!("admin/billing-runs/{id}");
                session.get::<BillingRun>(&path).await
            }
            Self::Reconciliations(page) => {
                list::<Reconciliation>(session, "admin/reconciliations", page).await
            }
            Self::Findings { id, page } => {
                let path = format!("admin/reconciliations/{id}/findings");
                list::<Finding>(session, &path, page).await
            }
            Self::Parked { id, page } => {
                let path = format!("admin/billing-runs/{id}/parked-accounts");
                list::<Parked>(session, &path, page).await
            }
        }
    }
}

async fn list<T: super::list::Row>(
    session: &mut Session<'_>,
    path: &str,
    page: PageArgs,
) -> Result {
    session.call::<Page<T>>(&page.apply(Call::get(path))).await
}

impl PriceArgs {
    async fn run(self, session: &mut Session<'_>) -> Result {
        let body = body([
            ("sku", Some(json!(self.sku))),
            ("per_gpu_hour", Some(json!(self.price))),
            ("effective_from", self.from.map(|from| json!(from))),
            ("reason", Some(json!(self.reason))),
        ]);
        let call = Call::post("admin/prices", self.key.key()).with_body(body);
        session.call::<Price>(&call).await
    }
}

impl GiveArgs {
    async fn run(self, session: &mut Session<'_>) -> Result {
        let body = body([
            ("organization_id", Some(json!(self.organization))),
            ("amount", Some(json!(self.amount))),
            ("reason", Some(json!(self.reason))),
            ("expires_at", self.expires.map(|at| json!(at))),
            ("priority", self.priority.map(|priority| json!(priority))),
        ]);
        let call = Call::post("admin/credits", self.key.key()).with_body(body);
        session.call::<Credit>(&call).await
    }
}

impl RunArgs {
    async fn run(self, session: &mut Session<'_>) -> Result {
        let body = body([
            ("period_start", Some(json!(self.start))),
            ("period_end", Some(json!(self.end))),
            ("organization_id", self.organization.map(|org| json!(org))),
        ]);
        let call = Call::post("admin/billing-runs", self.key.key()).with_body(body);
        let accepted = session.send(&call).await?;
        conclude::<BillingRun>(session, &accepted, &self.wait).await
    }
}
