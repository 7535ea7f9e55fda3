//! `POST /admin/nodes`

use db::node::NewNode;
use domain::id::NodeId;
use domain::operation::OperationKind;
use domain::ssh_public_key::{self, WeakKeys};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{order, target};
use crate::authorization::{On, action};
use crate::body::Body;
use crate::delivery;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::routes::operations::OperationView;

/// GPUs of one machine at most, as the table says.
const MAX_GPUS: i32 = 64;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::of::<OperationView>(),
            action: Some(&action::NODE_CREATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateNode)]
struct Request {
    /// Unique among machines in service: letters, digits, dots and hyphens.
    #[schema(pattern = "^[a-z0-9][a-z0-9.-]{0,62}$")]
    name: String,
    #[schema(example = "h100-80gb")]
    sku: String,
    /// Address or name, within the networks that nodes may live in.
    host: String,
    #[serde(default = "ssh_port")]
    #[schema(minimum = 1, maximum = 65535, default = 22)]
    port: u16,
    /// The machine's public host key in OpenSSH's format; no other is believed.
    host_key: String,
    #[schema(minimum = 1, maximum = 64)]
    expected_gpu_count: i32,
    /// Missing: any.
    #[schema(max_length = 64)]
    expected_driver_version: Option<String>,
}

fn ssh_port() -> u16 {
    22
}

impl Request {
    /// Checks what can be checked without asking anybody; the host key in our own spelling.
    fn check(&self, weak: &WeakKeys) -> Result<String, Problem> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let name = self.name.as_bytes();
        let sound = (1..=63).contains(&name.len())
            && plain(name[0])
            && name.iter().all(|b| plain(*b) || b".-".contains(b));
        if !sound {
            let detail = "must be lower-case letters, digits, dots and hyphens, 63 at most";
            return Err(Problem::invalid("/name", detail));
        }
        if !(1..=MAX_GPUS).contains(&self.expected_gpu_count) {
            let detail = format!("must be between 1 and {MAX_GPUS}");
            return Err(Problem::invalid("/expected_gpu_count", detail));
        }
        let driver = self.expected_driver_version.as_deref().unwrap_or("1");
        let dotted = |b: u8| b.is_ascii_digit() || b == b'.';
        if !(1..=64).contains(&driver.len()) || !driver.bytes().all(dotted) {
            let detail = "must be a version such as 570.86.15";
            return Err(Problem::invalid("/expected_driver_version", detail));
        }
        ssh_public_key::parse(&self.host_key, weak)
            .map(|key| key.openssh)
            .map_err(|error| Problem::invalid("/host_key", error.to_string()))
    }
}

/// Announce a node
///
/// The operation ends when the machine was found to be what was announced, and takes allocations.
#[utoipa::path(post, path = "/api/v1/admin/nodes", request_body = Request,
    responses((status = 202, description = "It is going to be looked at", body = OperationView)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<OperationView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let by = permitted.principal()?.user_id;
    let app = permitted.app();
    let host_key = request.check(&app.weak_keys)?;
    target::judge(&app, &request.host, request.port).await?;
    if db::catalog::get_sku(permitted.conn(), &request.sku)
        .await?
        .is_none()
    {
        return Err(Problem::new(Code::UnknownSku).at("/sku", "nothing of this name is sold"));
    }
    let id: NodeId = db::id::fresh();
    let new = NewNode {
        id,
        name: &request.name,
        sku: &request.sku,
        host: &request.host,
        port: i32::from(request.port),
        host_key: &host_key,
        expected_gpu_count: request.expected_gpu_count,
        expected_driver_version: request.expected_driver_version.as_deref(),
    };
    db::node::insert(permitted.conn(), &new)
        .await
        .map_err(taken)?;
    let kind = OperationKind::NodeEnroll;
    let policy = permitted.policy()?;
    let (operation, intent) = order::place(permitted.conn(), kind, id, by, &*policy).await?;
    let answer = permitted
        .accepted(OperationView::new(operation, &app.settings))
        .await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}

fn taken(error: db::Error) -> Problem {
    match error.constraint() {
        Some("nodes_name_unique") => {
            Problem::new(Code::NameTaken).detail("a node in service has this name")
        }
        Some("nodes_address_unique") => {
            Problem::new(Code::Conflict).detail("a node in service has this address")
        }
        _ => error.into(),
    }
}
