//! Lists, a page at a time.

use clap::Args;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::table::{Show, Table};
use crate::client::Call;

/// Which page of a list.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// At most this many
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// The page after one that was seen, as that one said
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
}

impl PageArgs {
    pub(crate) fn apply(self, call: Call) -> Call {
        call.with_query("limit", self.limit)
            .with_query("page_token", self.page_token)
    }
}

/// Something that lists show in columns.
pub(crate) trait Row: DeserializeOwned {
    const HEADINGS: &'static [&'static str];

    fn cells(&self) -> Vec<String>;
}

/// One page.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(crate) struct Page<T> {
    items: Vec<T>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl<T> Page<T> {
    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }
}

impl<T: Row> Show for Page<T> {
    fn table(&self) -> Table {
        let mut table = Table::columns(T::HEADINGS);
        for item in &self.items {
            table.row(item.cells());
        }
        table
    }

    fn hint(&self) -> Option<String> {
        let token = self.next_page_token.as_deref()?;
        Some(format!("There is more: --page-token {token}"))
    }
}
