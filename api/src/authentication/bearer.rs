//! Resolves access tokens of the OpenID provider. Who somebody is, the provider says; what he may
//! do here, Berth's own database does.

use db::identity::{Claimed, Known, Membership};
use domain::api_key::Scope;
use domain::id::OrgId;
use platform::oidc::Signed;

use super::{Credential, Principal, Refusal};
use crate::app::App;
use crate::problem::{Code, Problem};

/// No query for a token whose signature does not hold, one for any other.
pub(super) async fn resolve(
    app: &App,
    token: &str,
    wanted: Option<OrgId>,
) -> Result<Principal, Problem> {
    if !token.contains('.') {
        return Err(Refusal::UnknownForm.into());
    }
    let issuer = app.issuer.as_ref().ok_or(Refusal::NoIssuer)?;
    let signed = issuer.read(token).await.map_err(Refusal::AccessToken)?;
    let rules = issuer.rules();
    let claimed = claimed(&rules.issuer, &signed);
    let mut conn = app.pool.acquire().await.map_err(db::Error::from)?;
    let found = db::identity::authenticate(&mut conn, claimed).await?;
    drop(conn);
    let now = found.now.unix_timestamp();
    let claims = signed.statement.check(&signed.key_id, rules, now);
    let claims = claims.map_err(Refusal::AccessToken)?;
    claims.denied(found.denials).map_err(Refusal::AccessToken)?;
    let known = found.known.ok_or(Refusal::UnknownSubject)?;
    let membership = choose(&known, wanted)?.clone();
    Ok(Principal {
        user_id: known.user_id,
        org_id: membership.org_id,
        credential: Credential::Identity(known.id),
        role: membership.role,
        project_roles: membership.project_roles,
        platform_role: known.platform_role,
        // A person himself: his roles are his only bounds.
        scopes: Scope::all(),
    })
}

/// What a token of this issuer names, for looking it up.
pub(crate) fn claimed<'a>(issuer: &'a str, signed: &'a Signed) -> Claimed<'a> {
    Claimed {
        issuer,
        subject: signed.statement.text("sub").unwrap_or_default(),
        key_id: &signed.key_id,
        token_id: signed.statement.text("jti"),
        session_id: signed.statement.text("sid"),
    }
}

/// The organization that was named, or the only one.
pub(crate) fn choose(known: &Known, wanted: Option<OrgId>) -> Result<&Membership, Problem> {
    match (wanted, known.memberships.as_slice()) {
        (Some(org), all) => all
            .iter()
            .find(|membership| membership.org_id == org)
            .ok_or(
                Problem::new(Code::Forbidden)
                    .detail("not a member of an organization with this id"),
            ),
        (None, [only]) => Ok(only),
        (None, []) => Err(Problem::new(Code::Forbidden).detail("a member of no organization")),
        (None, _) => Err(Problem::new(Code::OrganizationRequired)
            .detail("a member of several organizations: name one in Berth-Organization")),
    }
}

#[cfg(test)]
mod tests {
    use domain::role::Role;
    use uuid::Uuid;

    use super::*;

    fn org(n: u128) -> OrgId {
        Uuid::from_u128(n).into()
    }

    fn member_of(orgs: &[u128]) -> Known {
        let membership = |n: &u128| Membership {
            org_id: org(*n),
            role: Role::Member,
            project_roles: std::collections::BTreeMap::new(),
        };
        Known {
            id: Uuid::nil().into(),
            user_id: Uuid::nil().into(),
            platform_role: None,
            memberships: orgs.iter().map(membership).collect(),
        }
    }

    #[test]
    fn one_organization_needs_no_name_and_several_need_one() {
        let chosen = |orgs: &[u128], wanted: Option<u128>| {
            let known = member_of(orgs);
            let chosen = choose(&known, wanted.map(org)).map(|membership| membership.org_id);
            chosen.map_err(|problem| problem.code())
        };
        assert_eq!(chosen(&[1], None), Ok(org(1)));
        assert_eq!(chosen(&[1], Some(1)), Ok(org(1)));
        assert_eq!(chosen(&[1, 2], Some(2)), Ok(org(2)));
        assert_eq!(chosen(&[1, 2], None), Err(Code::OrganizationRequired));
        assert_eq!(chosen(&[1, 2], Some(3)), Err(Code::Forbidden));
        assert_eq!(chosen(&[], None), Err(Code::Forbidden));
    }
}
