//! Ids as arguments.
//!
//! Only the kind and the alphabet are judged here, so that an id can stand in a path as it is;
//! whether there is such a thing is the server's to say.

use domain::id::{
    AllocationId, ApiKeyId, ArchiveId, AuditId, AuthorizationPolicyId, BillingRunId, DeadLetterId,
    IdentityId, InvoiceId, InvoiceLineId, MaintenanceId, NodeId, OperationId, OrgId, PriceId,
    ProjectId, QuotaId, ReconciliationId, RotationId, SshKeyId,
};

fn parse(kind: &str, prefix: &str, text: &str) -> Result<String, String> {
    let sound = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()));
    if sound {
        Ok(text.to_owned())
    } else {
        Err(format!("the id of {kind} looks like {prefix}_…"))
    }
}

macro_rules! parsers {
    ($($name:ident, $id:ident, $kind:literal;)+) => {
        $(pub(crate) fn $name(text: &str) -> Result<String, String> {
            parse($kind, $id::PREFIX, text)
        })+
    };
}

parsers! {
    allocation, AllocationId, "an allocation";
    api_key, ApiKeyId, "an API key";
    archive, ArchiveId, "an archive";
    audit_event, AuditId, "an entry of the audit log";
    authorization_policy, AuthorizationPolicyId, "a rule";
    billing_run, BillingRunId, "a billing run";
    reconciliation, ReconciliationId, "a reconciliation";
    dead_letter, DeadLetterId, "a dead letter";
    identity, IdentityId, "an identity";
    invoice, InvoiceId, "an invoice";
    invoice_line, InvoiceLineId, "a line of an invoice";
    node, NodeId, "a node";
    operation, OperationId, "an operation";
    organization, OrgId, "an organization";
    price, PriceId, "a price";
    project, ProjectId, "a project";
    quota, QuotaId, "a quota";
    rotation, RotationId, "a rotation";
    maintenance, MaintenanceId, "a maintenance";
    ssh_key, SshKeyId, "an SSH key";
}
