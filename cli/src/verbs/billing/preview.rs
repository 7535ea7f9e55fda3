//! `berth billing preview-price`

use domain::money::Money;
use serde::Deserialize;
use serde_json::json;

use crate::client::Call;
use crate::verbs::exit::Result;
use crate::verbs::session::Session;
use crate::verbs::table::{Show, Table};
use crate::verbs::{body, id};

#[derive(Debug, clap::Args)]
pub(crate) struct PreviewArgs {
    #[arg(value_name = "SKU")]
    sku: String,
    /// Such as 'USD 2.50'
    #[arg(value_name = "PRICE")]
    price: Money,
    /// Start of the time (RFC 3339)
    #[arg(value_name = "START")]
    start: String,
    /// Its end, which has passed
    #[arg(value_name = "END")]
    end: String,
    /// Only this organization
    #[arg(long, value_name = "ORGANIZATION", value_parser = id::organization)]
    organization: Option<String>,
}

impl PreviewArgs {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result {
        let body = body([
            ("sku", Some(json!(self.sku))),
            ("per_gpu_hour", Some(json!(self.price))),
            ("period_start", Some(json!(self.start))),
            ("period_end", Some(json!(self.end))),
            ("organization_id", self.organization.map(|org| json!(org))),
        ]);
        let call = Call::question("admin/prices:preview").with_body(body);
        session.call::<Preview>(&call).await
    }
}

#[derive(Debug, Deserialize)]
struct Preview {
    account_count: usize,
    charged: Money,
    proposed: Money,
    difference: Money,
    items: Vec<AccountPreview>,
}

#[derive(Debug, Deserialize)]
struct AccountPreview {
    organization_id: String,
    difference: Money,
}

impl Show for Preview {
    fn table(&self) -> Table {
        let mut table = Table::fields();
        table.field("accounts", self.account_count.to_string());
        table.field("charged", self.charged);
        table.field("proposed", self.proposed);
        table.field("difference", self.difference);
        for account in self.items.iter().take(10) {
            table.field(&account.organization_id, account.difference);
        }
        table
    }
}
