//! `POST /allocations/{id}/ssh-certificates`

use domain::id::AllocationId;
use domain::policy::{self, Scope};
use domain::ssh_public_key;
use domain::state::AllocationState;
use platform::ssh::{CertificateRequest, MAX_TTL_SECONDS, UserCertificate};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::AllocationView;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::call::Call;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;

/// What a certificate gets when nothing is asked.
const TTL_SECONDS: i64 = 15 * 60;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Credential,
            idempotency: Idempotency::ShownOnce("ask again under another Idempotency-Key"),
            action: Some(&action::ALLOCATION_CERTIFY),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CertifySshKey)]
struct Request {
    /// In OpenSSH's format, one line. Its private half stays where it is.
    #[schema(max_length = 8192)]
    public_key: String,
    /// 15 minutes when missing, an hour at most; policy may set less.
    #[schema(minimum = 1, maximum = 3600, default = 900)]
    ttl_seconds: Option<i64>,
}

/// A signed certificate. It is kept nowhere.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SshCertificate)]
struct CertificateView {
    /// To be saved beside the private key as `<key>-cert.pub`.
    certificate: String,
    /// Unique; a text, since it has 64 bits.
    serial: String,
    /// Who asked, for which allocation, with which request.
    key_id: String,
    principals: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    valid_after: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    valid_before: OffsetDateTime,
    #[serde(skip)]
    allocation_id: AllocationId,
}

impl CertificateView {
    fn new(allocation_id: AllocationId, signed: UserCertificate) -> Self {
        Self {
            certificate: signed.openssh,
            serial: signed.serial.to_string(),
            key_id: signed.key_id,
            principals: vec![signed.principal],
            valid_after: signed.valid_after,
            valid_before: signed.valid_before,
            allocation_id,
        }
    }
}

impl Resource for CertificateView {
    const KIND: &'static str = "ssh_certificate";

    /// The key id: what an audit entry and a node's log have in common.
    fn id(&self) -> String {
        self.key_id.clone()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        format!(
            "/api/v1/allocations/{}/ssh-certificates",
            self.allocation_id
        )
    }
}

/// Sign a public key for a running allocation
///
/// The certificate opens this allocation and no other, until it expires or the allocation ends.
#[utoipa::path(post, path = "/api/v1/allocations/{id}/ssh-certificates",
    params(("id" = String, Path)), request_body = Request,
    responses((status = 201, description = "The certificate", body = CertificateView)))]
async fn handler(
    call: Call,
    mut mutation: Mutation,
    Path(id): Path<AllocationId>,
    Body(request): Body<Request>,
) -> Result<Committed<CertificateView>, Problem> {
    let by = mutation.principal()?.clone();
    let row = db::allocation::lock(mutation.conn(), by.org_id, id).await?;
    let row = row.ok_or_else(|| Problem::not_found(AllocationView::KIND))?;
    let mut permitted = mutation.authorize(On::Project(row.project_id))?;
    let public_key = ssh_public_key::parse(&request.public_key, &call.app.weak_keys)
        .map_err(|error| Problem::invalid("/public_key", error.to_string()))?;
    let runs = matches!(
        row.state,
        AllocationState::Active | AllocationState::Degraded
    );
    if !runs || row.release_requested_at.is_some() {
        return Err(Problem::new(Code::Conflict).detail("only a running allocation can be entered"));
    }
    let scope = Scope::Project(by.org_id, row.project_id);
    let allowed = permitted.policy()?.value(&policy::CERTIFICATE_TTL, scope);
    let signed = permitted
        .app()
        .authority
        .sign_user_certificate(&CertificateRequest {
            public_key: &public_key,
            user: by.user_id,
            allocation: id,
            request_id: &call.request_id.as_str().replace(':', "-"),
            ttl_seconds: Some(ttl(request.ttl_seconds, allowed)?),
            source_address: None,
            now: db::clock::now(permitted.conn()).await?,
        })
        .map_err(|error| Problem::internal(&error))?;
    Ok(permitted.created(CertificateView::new(id, signed)).await?)
}

/// The life that was asked for, within what SSH-04 and policy allow.
fn ttl(asked: Option<i64>, allowed: i64) -> Result<u32, Problem> {
    let most = allowed.min(i64::from(MAX_TTL_SECONDS));
    let ttl = asked.unwrap_or(TTL_SECONDS.min(most));
    let fits = (1..=most).contains(&ttl);
    u32::try_from(ttl)
        .ok()
        .filter(|_| fits)
        .ok_or_else(|| Problem::invalid("/ttl_seconds", format!("must be between 1 and {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_04_life_of_a_certificate() {
        assert_eq!(ttl(None, 86_400).ok(), Some(900));
        assert_eq!(ttl(None, 60).ok(), Some(60));
        assert_eq!(ttl(Some(3_600), 86_400).ok(), Some(3_600));
        assert_eq!(ttl(Some(1), 60).ok(), Some(1));
        for (asked, allowed) in [
            (3_601, 86_400),
            (61, 60),
            (0, 60),
            (-1, 60),
            (i64::MAX, 86_400),
        ] {
            let problem = ttl(Some(asked), allowed).expect_err("out of bounds");
            assert_eq!(problem.pointers(), ["/ttl_seconds"], "{asked}");
        }
    }
}
