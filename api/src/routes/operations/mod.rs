//! `/operations`: asynchronous changes that somebody asked for.

mod cancel;
mod get;
mod list;
mod view;

use db::operation::Viewer;
use db::{Postgres, Transaction};

use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::problem::{Code, Problem};

pub(crate) use view::OperationView;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), get::endpoint(), cancel::endpoint()]
}

/// A look at operations: a platform operator sees those of the platform and of every
/// organization, anybody else those of his organization.
async fn look(call: &Call) -> Result<(Transaction<'static, Postgres>, Viewer), Problem> {
    let principal = call
        .principal
        .as_ref()
        .ok_or_else(|| Problem::new(Code::CredentialsRequired))?;
    if principal.platform_operator {
        Ok((db::scope::platform(&call.app.pool).await?, Viewer::Platform))
    } else {
        Ok((
            call.transaction().await?,
            Viewer::Organization(principal.org_id),
        ))
    }
}
