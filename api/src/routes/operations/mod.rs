//! `/operations`: asynchronous changes that somebody asked for.

mod cancel;
mod get;
mod list;
mod view;

use db::operation::Viewer;

use crate::authentication::Principal;
use crate::endpoint::{Authentication, Endpoint, Guard};

pub(crate) use view::OperationView;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![list::endpoint(), get::endpoint(), cancel::endpoint()]
}

/// Operators look at operations of the platform and of every organization.
const READ: Guard = Guard {
    authentication: Authentication::PrincipalOrOperator,
    ..Guard::READ
};

/// Whose operations the caller sees.
fn viewer(principal: &Principal) -> Viewer {
    if principal.is_operator() {
        Viewer::Platform
    } else {
        Viewer::Organization(principal.org_id)
    }
}
