//! Tables that only grow, converted.

use serde_json::json;

use crate::stack::{START_LIMIT, Stack};
use crate::wait::eventually;

impl Stack {
    /// Converts every table that only grows, as an operator would: whatever runs on this stack meets
    /// partitioned tables, and the same on another meets plain ones.
    pub(crate) async fn partition_tables(&self) {
        self.ready().await;
        let path = "/api/v1/admin/partitions:maintain";
        let body = json!({"convert": true, "reason": "to test on converted tables"});
        let asked = eventually("its turn", START_LIMIT, || async {
            let answer = self.admin().post(path, &body).await;
            (answer.status == 202).then(|| answer.json())
        })
        .await;
        self.admin().finished(&asked, START_LIMIT).await;
    }
}
