//! Resolves API keys (AK-01, AK-02).

use std::net::IpAddr;

use domain::api_key::{ApiKey, ApiKeyError};
use subtle::ConstantTimeEq;

use super::{Credential, Principal, Refusal};
use crate::app::App;
use crate::problem::Problem;

/// One query for a key whose checksum holds, none for any other text.
pub(super) async fn resolve(app: &App, text: &str, from: IpAddr) -> Result<Principal, Problem> {
    let key = ApiKey::parse(text).map_err(|error| match error {
        ApiKeyError::Form => Refusal::UnknownForm,
        ApiKeyError::Checksum => Refusal::Checksum,
    })?;
    let mut conn = app.pool.acquire().await.map_err(db::Error::from)?;
    let found = db::api_key::authenticate(&mut conn, key.public_id()).await?;
    drop(conn);
    let credential = judge(&key, found)?;
    if credential.stale_use {
        note_use(app, credential.id, from);
    }
    Ok(Principal {
        user_id: credential.user_id,
        org_id: credential.org_id,
        credential: Credential::ApiKey(credential.id),
        role: credential.role,
        project_roles: credential.project_roles,
        platform_role: credential.platform_role,
        scopes: credential.scopes,
    })
}

/// Compares in constant time, with a stranger's hash when there is no row, and looks at expiry
/// and revocation only after the secret was proven.
fn judge(
    key: &ApiKey,
    found: Option<db::api_key::Credential>,
) -> Result<db::api_key::Credential, Refusal> {
    let given = key.secret_sha256();
    let stored = found.as_ref().map_or(&[0; 32][..], |c| &c.secret_sha256);
    let current = bool::from(given[..].ct_eq(stored));
    let credential = found.ok_or(Refusal::Unknown)?;
    let overlapping = credential
        .previous
        .as_ref()
        .is_some_and(|(previous, until)| {
            bool::from(given[..].ct_eq(previous)) && credential.now < *until
        });
    if !(current || overlapping) {
        return Err(Refusal::WrongSecret);
    }
    if credential.revoked_at.is_some() {
        return Err(Refusal::Revoked);
    }
    if credential.expires_at <= credential.now {
        return Err(Refusal::Expired);
    }
    Ok(credential)
}

/// Off the request's way: nobody waits for it, and a lost note costs nothing.
fn note_use(app: &App, id: domain::id::ApiKeyId, from: IpAddr) {
    let pool = app.pool.clone();
    app.tasks.spawn(async move {
        let noted = async { db::api_key::touch(&mut *pool.acquire().await?, id, from).await };
        if let Err(error) = noted.await {
            tracing::debug!(%id, error = &error as &dyn std::error::Error, "use not noted");
        }
    });
}

#[cfg(test)]
mod tests {
    use domain::role::Role;
    use time::{Duration, OffsetDateTime};
    use uuid::Uuid;

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn key(secret: char) -> ApiKey {
        ApiKey::from_parts("abcdefghijkl", &secret.to_string().repeat(43)).expect("sound parts")
    }

    fn credential() -> db::api_key::Credential {
        db::api_key::Credential {
            id: Uuid::nil().into(),
            org_id: Uuid::nil().into(),
            user_id: Uuid::nil().into(),
            secret_sha256: key('n').secret_sha256().to_vec(),
            previous: Some((key('p').secret_sha256().to_vec(), NOW + Duration::HOUR)),
            expires_at: NOW + Duration::DAY,
            revoked_at: None,
            role: Role::Member,
            project_roles: std::collections::BTreeMap::new(),
            platform_role: None,
            scopes: domain::api_key::Scope::all(),
            stale_use: false,
            now: NOW,
        }
    }

    fn refusal(key: &ApiKey, found: Option<db::api_key::Credential>) -> Option<Refusal> {
        judge(key, found).err()
    }

    #[test]
    fn ak_01_new_secret_and_overlapping_old_one() {
        assert_eq!(refusal(&key('n'), Some(credential())), None);
        assert_eq!(refusal(&key('p'), Some(credential())), None);
        let late = db::api_key::Credential {
            now: NOW + Duration::hours(1),
            ..credential()
        };
        assert_eq!(
            refusal(&key('p'), Some(late.clone())),
            Some(Refusal::WrongSecret)
        );
        assert_eq!(refusal(&key('n'), Some(late)), None);
    }

    #[test]
    fn ak_02_a_wrong_secret_learns_nothing_about_the_key() {
        let revoked = db::api_key::Credential {
            revoked_at: Some(NOW),
            ..credential()
        };
        let expired = db::api_key::Credential {
            expires_at: NOW,
            ..credential()
        };
        assert_eq!(
            refusal(&key('n'), Some(revoked.clone())),
            Some(Refusal::Revoked)
        );
        assert_eq!(
            refusal(&key('n'), Some(expired.clone())),
            Some(Refusal::Expired)
        );
        let strangers = [None, Some(credential()), Some(revoked), Some(expired)];
        let answers: Vec<_> = strangers
            .into_iter()
            .map(|found| refusal(&key('x'), found).map(|r| Problem::from(r).code()))
            .collect();
        assert!(
            answers
                .iter()
                .all(|a| *a == Some(crate::problem::Code::InvalidCredentials))
        );
    }
}
