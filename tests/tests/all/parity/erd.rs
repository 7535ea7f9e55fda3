//! `doc/architecture/erd.md` is what the migrations make, no more and no less.

use crate::tidy::root;

/// Reads the schema of the running stack. To write the document anew:
/// `BERTH_UPDATE=1 make test ARGS=erd_is_fresh`.
#[tokio::test(flavor = "multi_thread")]
async fn erd_is_fresh() {
    let pool = tests::stack().await.database().await;
    let mut conn = pool.acquire().await.unwrap();
    let fresh = db::diagram::markdown(&mut conn).await.unwrap();
    let file = root().join("doc/architecture/erd.md");
    if update_wanted() {
        std::fs::write(&file, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap();
    assert!(
        committed == fresh,
        "doc/architecture/erd.md is not what the migrations make; write it anew with BERTH_UPDATE=1"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the tests, not a setting of the product"
)]
fn update_wanted() -> bool {
    std::env::var("BERTH_UPDATE").is_ok()
}
