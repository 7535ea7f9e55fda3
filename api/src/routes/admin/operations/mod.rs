//! `/admin/operations`: work of everybody, and what operators do about it when it is stuck.

mod cancel;
mod force_release;
mod list;
mod retry;

use db::operation::{Operation, Viewer};
use domain::id::OperationId;

use crate::authorization::Action;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::Mutation;
use crate::problem::Problem;
use crate::resource::Resource;
use crate::routes::admin::why::Why;
use crate::routes::operations::OperationView;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        list::endpoint(),
        retry::endpoint(),
        cancel::endpoint(),
        force_release::endpoint(),
    ]
}

fn guard(action: &'static Action) -> Guard {
    Guard {
        authentication: Authentication::PlatformOperator,
        rate: RateClass::Admin,
        idempotency: Idempotency::of::<OperationView>(),
        action: Some(action),
    }
}

/// The operation that somebody is to do something about.
async fn find(mutation: &mut Mutation, id: OperationId) -> Result<Operation, Problem> {
    let found = db::operation::get(mutation.conn(), Viewer::Platform, id).await?;
    found.ok_or_else(|| Problem::not_found(OperationView::KIND))
}
