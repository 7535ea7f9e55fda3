//! `/admin/authorization-policies`: rules that operators add to the built-in ones, in Cedar. What
//! forbids wins, and no rule makes an operator of somebody or reaches into another organization.

mod create;
mod delete;
mod get;
mod list;
mod update;

use db::PgConnection;
use db::authorization_policy::AuthorizationPolicy as Row;
use domain::id::{AuthorizationPolicyId, OrgId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::policy::{Rule, RuleError};
use crate::problem::{Code, Problem};
use crate::resource::{Recall, Resource};

/// What others are told when one of them changes.
const KEY: &str = "authorization";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        create::endpoint(),
        list::endpoint(),
        get::endpoint(),
        update::endpoint(),
        delete::endpoint(),
    ]
}

/// A rule, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
struct AuthorizationPolicy {
    #[schema(value_type = String, example = "apol_0198f3c2a4b07e1c9d5e6f708192a3b4")]
    id: AuthorizationPolicyId,
    /// Whose requests it is about; null: everybody's.
    #[schema(value_type = Option<String>, required)]
    organization_id: Option<OrgId>,
    name: String,
    /// One Cedar policy.
    #[schema(
        example = "forbid (principal, action == Berth::Action::\"allocation.create\", resource);"
    )]
    policy: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip)]
    version: i64,
}

impl From<Row> for AuthorizationPolicy {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            organization_id: row.org_id,
            name: row.name,
            policy: row.policy,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl Resource for AuthorizationPolicy {
    const KIND: &'static str = "authorization_policy";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn url(&self) -> String {
        format!("/api/v1/admin/authorization-policies/{}", self.id)
    }
}

impl Recall for AuthorizationPolicy {
    async fn recall(_: &App, conn: &mut PgConnection, id: &str) -> db::Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(db::authorization_policy::get(conn, id)
            .await?
            .map(Self::from))
    }
}

/// Judges a text as it will be judged when it is loaded, and says what Cedar says.
fn check(app: &App, org: Option<OrgId>, text: &str) -> Result<(), Problem> {
    const MAX_BYTES: usize = 8192;
    if text.len() > MAX_BYTES {
        let detail = format!("must be at most {MAX_BYTES} bytes long");
        return Err(Problem::invalid("/policy", detail));
    }
    match Rule::compile(app.policies.book(), "policy", 0, org, text) {
        Ok(_) => Ok(()),
        Err(RuleError(found)) => Err(found.into_iter().fold(
            Problem::new(Code::InvalidRequest).detail("the policy is not valid"),
            |problem, detail| problem.at("/policy", detail),
        )),
    }
}

/// A name that is taken, said as such.
fn name_taken(error: db::Error) -> Problem {
    match error.constraint() {
        Some("authorization_policies_name_unique") => {
            Problem::new(Code::NameTaken).detail("a rule of this name exists in this scope")
        }
        _ => error.into(),
    }
}
