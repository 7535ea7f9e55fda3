//! `berth signing-key`: the keys that Berth signs with.

use clap::Subcommand;
use serde::Deserialize;

use super::exit::Result;
use super::group::Run;
use super::list::{Page, PageArgs, Row};
use super::session::Session;
use super::table::Cell;
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show what each key is for, its state and its age, newest first
    List(PageArgs),
}

#[derive(Debug, Deserialize)]
struct SigningKey {
    kid: String,
    purpose: String,
    state: String,
    age_seconds: f64,
    created_at: String,
    #[serde(default)]
    activated_at: Option<String>,
    #[serde(default)]
    retiring_at: Option<String>,
    #[serde(default)]
    revoked_at: Option<String>,
}

impl Row for SigningKey {
    const HEADINGS: &'static [&'static str] = &[
        "KEY", "PURPOSE", "STATE", "AGE", "CREATED", "ACTIVE", "RETIRING", "REVOKED",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.kid.clone(),
            self.purpose.clone(),
            self.state.clone(),
            format!("{:.0} s", self.age_seconds),
            self.created_at.clone(),
            self.activated_at.cell(),
            self.retiring_at.cell(),
            self.revoked_at.cell(),
        ]
    }
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        let Self::List(page) = self;
        let call = page.apply(Call::get("admin/signing-keys"));
        session.call::<Page<SigningKey>>(&call).await
    }
}
