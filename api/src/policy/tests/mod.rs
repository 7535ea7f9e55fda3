mod matrix;
mod schedule;
mod schema;
mod slices;
mod trust;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use domain::id::{ApiKeyId, OrgId, ProjectId, UserId};
use domain::role::{ProjectRole, Role};
use uuid::Uuid;

use super::Book;
use crate::authentication::{Credential, Principal};

pub(super) fn book() -> Arc<Book> {
    Arc::new(Book::open().expect("the files are sound"))
}

pub(super) fn org(n: u128) -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(n))
}

pub(super) fn project(n: u128) -> ProjectId {
    ProjectId::from_uuid(Uuid::from_u128(n))
}

pub(super) fn person(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

pub(super) fn principal(
    org_id: OrgId,
    role: Role,
    project_roles: BTreeMap<ProjectId, ProjectRole>,
) -> Principal {
    Principal {
        user_id: person(1),
        org_id,
        credential: Credential::ApiKey(ApiKeyId::from_uuid(Uuid::from_u128(3))),
        role,
        project_roles,
        platform_role: None,
        scopes: domain::api_key::Scope::all(),
    }
}

/// A file that a test keeps fresh; written anew with `BERTH_UPDATE=1`.
#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the tests, not a setting of the product"
)]
pub(super) fn golden(name: &str, fresh: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("policies")
        .join(name);
    if std::env::var("BERTH_UPDATE").is_ok() {
        std::fs::write(&file, fresh).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&file).expect("the file is there");
    assert!(
        committed == fresh,
        "api/policies/{name} is not what the code makes; write it anew with BERTH_UPDATE=1 and read the difference"
    );
}
