//! Everything that can be done to change something, and what it needs. The name is also the
//! `action` of the audit log and of the rules: the schema in `api/policies` is made from this and
//! from the endpoints that only show something. Who has what is needed is decided by the rules.

use domain::role::Role;

/// One kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// `<resource>.<verb>`
    pub name: &'static str,
    pub needs: Needs,
}

/// What a caller must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// At least this role, in the organization or in the project concerned.
    Role(Role),
    /// The person whom the thing belongs to, or at least this role in the organization.
    OwnOr(Role),
    /// A platform operator.
    Operator,
    /// The holder of the internal token.
    Token,
    /// To be of finance, or a platform operator.
    Finance,
    /// Nothing: anybody may.
    Nothing,
}

impl Action {
    const fn new(name: &'static str, needs: Needs) -> Self {
        Self { name, needs }
    }

    /// The kind of resource that the action changes.
    pub fn resource_kind(&self) -> &'static str {
        self.name
            .split_once('.')
            .map_or(self.name, |(kind, _)| kind)
    }
}

pub const ORGANIZATION_CREATE: Action = Action::new("organization.create", Needs::Operator);
pub const ORGANIZATION_UPDATE: Action =
    Action::new("organization.update", Needs::Role(Role::Owner));
pub const ORGANIZATION_DELETE: Action =
    Action::new("organization.delete", Needs::Role(Role::Owner));

pub const PROJECT_CREATE: Action = Action::new("project.create", Needs::Role(Role::Admin));
pub const PROJECT_UPDATE: Action = Action::new("project.update", Needs::Role(Role::Admin));
pub const PROJECT_DELETE: Action = Action::new("project.delete", Needs::Role(Role::Admin));

pub const ORGANIZATION_MEMBER_ADD: Action =
    Action::new("organization_member.add", Needs::Role(Role::Admin));
pub const ORGANIZATION_MEMBER_UPDATE: Action =
    Action::new("organization_member.update", Needs::Role(Role::Admin));
pub const ORGANIZATION_MEMBER_REMOVE: Action =
    Action::new("organization_member.remove", Needs::Role(Role::Admin));

pub const MEMBER_ADD: Action = Action::new("project_member.add", Needs::Role(Role::Admin));
pub const MEMBER_UPDATE: Action = Action::new("project_member.update", Needs::Role(Role::Admin));
pub const MEMBER_REMOVE: Action = Action::new("project_member.remove", Needs::Role(Role::Admin));

pub const BROWSER_SESSION_END: Action = Action::new("browser_session.end", Needs::Nothing);

pub const API_KEY_CREATE: Action = Action::new("api_key.create", Needs::Role(Role::Viewer));
pub const API_KEY_ROTATE: Action = Action::new("api_key.rotate", Needs::OwnOr(Role::Admin));
pub const API_KEY_REVOKE: Action = Action::new("api_key.revoke", Needs::OwnOr(Role::Admin));

pub const SSH_KEY_CREATE: Action = Action::new("ssh_key.create", Needs::Role(Role::Member));
pub const SSH_KEY_UPDATE: Action = Action::new("ssh_key.update", Needs::OwnOr(Role::Admin));
pub const SSH_KEY_DELETE: Action = Action::new("ssh_key.delete", Needs::OwnOr(Role::Admin));

pub const ALLOCATION_CREATE: Action = Action::new("allocation.create", Needs::Role(Role::Member));
pub const ALLOCATION_UPDATE: Action = Action::new("allocation.update", Needs::Role(Role::Member));
pub const ALLOCATION_EXTEND: Action = Action::new("allocation.extend", Needs::Role(Role::Member));
pub const ALLOCATION_RELEASE: Action = Action::new("allocation.release", Needs::Role(Role::Member));
pub const ALLOCATION_RETRY_RELEASE: Action =
    Action::new("allocation.retry_release", Needs::Role(Role::Member));
pub const ALLOCATION_CERTIFY: Action = Action::new("allocation.certify", Needs::Role(Role::Member));
pub const OPERATION_CANCEL: Action = Action::new("operation.cancel", Needs::Role(Role::Member));

pub const NODE_CREATE: Action = Action::new("node.create", Needs::Operator);
pub const NODE_PROBE: Action = Action::new("node.probe", Needs::Operator);
pub const NODE_CORDON: Action = Action::new("node.cordon", Needs::Operator);
pub const NODE_UNCORDON: Action = Action::new("node.uncordon", Needs::Operator);
pub const NODE_DRAIN: Action = Action::new("node.drain", Needs::Operator);
pub const NODE_QUARANTINE: Action = Action::new("node.quarantine", Needs::Operator);
pub const NODE_RETIRE: Action = Action::new("node.retire", Needs::Operator);
pub const PAYLOAD_DECODE: Action = Action::new("payload.decode", Needs::Operator);
pub const PAYLOAD_ENCODE: Action = Action::new("payload.encode", Needs::Operator);
pub const IDENTITY_LINK: Action = Action::new("identity.link", Needs::Operator);
pub const IDENTITY_UNLINK: Action = Action::new("identity.unlink", Needs::Operator);
pub const IDENTITY_REVOKE_TOKENS: Action = Action::new("identity.revoke_tokens", Needs::Operator);
pub const JWKS_REFRESH: Action = Action::new("jwks.refresh", Needs::Token);
pub const POLICY_SET: Action = Action::new("policy.set", Needs::Operator);
pub const QUOTA_SET: Action = Action::new("quota.set", Needs::Operator);
pub const QUOTA_REMOVE: Action = Action::new("quota.remove", Needs::Operator);
pub const PRICE_SET: Action = Action::new("price.set", Needs::Operator);
pub const PRICE_WITHDRAW: Action = Action::new("price.withdraw", Needs::Operator);
pub const SPEND_CAP_SET: Action = Action::new("spend_cap.set", Needs::Role(Role::Admin));
pub const BILLING_TERMS_SET: Action = Action::new("billing_terms.set", Needs::Operator);
pub const PAYMENT_BOOK: Action = Action::new("payment.book", Needs::Token);
pub const CREDIT_GIVE: Action = Action::new("credit.give", Needs::Operator);
pub const BILLING_RUN_CREATE: Action = Action::new("billing_run.create", Needs::Operator);
pub const PARTITION_MAINTAIN: Action = Action::new("partition.maintain", Needs::Operator);
pub const AUDIT_VERIFY: Action = Action::new("audit.verify", Needs::Operator);
pub const ARCHIVE_VERIFY: Action = Action::new("archive.verify", Needs::Operator);
pub const ARCHIVE_RESTORE: Action = Action::new("archive.restore", Needs::Operator);
pub const ROTATION_CREATE: Action = Action::new("rotation.create", Needs::Operator);
pub const AUTHORIZATION_POLICY_CREATE: Action =
    Action::new("authorization_policy.create", Needs::Operator);
pub const AUTHORIZATION_POLICY_UPDATE: Action =
    Action::new("authorization_policy.update", Needs::Operator);
pub const AUTHORIZATION_POLICY_DELETE: Action =
    Action::new("authorization_policy.delete", Needs::Operator);
pub const DEAD_LETTER_REPLAY: Action = Action::new("dead_letter.replay", Needs::Operator);
pub const OPERATION_CALL_OFF: Action = Action::new("operation.call_off", Needs::Operator);
pub const OPERATION_RETRY: Action = Action::new("operation.retry", Needs::Operator);
pub const OPERATION_FORCE_RELEASE: Action = Action::new("operation.force_release", Needs::Operator);
