//! `berth node capacity`

use serde::Deserialize;

use crate::client::Call;
use crate::verbs::exit::Result;
use crate::verbs::list::{Page, PageArgs, Row};
use crate::verbs::session::Session;

#[derive(Debug, Deserialize)]
struct Capacity {
    sku: String,
    delivered: i64,
    healthy: i64,
    free: i64,
    reserved: i64,
    active: i64,
    queued_gpus: i64,
    oldest_wait_seconds: i64,
}

impl Row for Capacity {
    const HEADINGS: &'static [&'static str] = &[
        "SKU",
        "DELIVERED",
        "HEALTHY",
        "FREE",
        "RESERVED",
        "ACTIVE",
        "QUEUED",
        "OLDEST WAIT",
    ];

    fn cells(&self) -> Vec<String> {
        let counts = [
            self.delivered,
            self.healthy,
            self.free,
            self.reserved,
            self.active,
            self.queued_gpus,
        ];
        let counts = counts.map(|count| count.to_string());
        let wait = format!("{} s", self.oldest_wait_seconds);
        [vec![self.sku.clone()], counts.to_vec(), vec![wait]].concat()
    }
}

pub(super) async fn run(page: PageArgs, session: &mut Session<'_>) -> Result {
    let call = page.apply(Call::get("admin/capacity"));
    session.call::<Page<Capacity>>(&call).await
}
