//! The rows behind `platform::signing`, for every role that signs: that room names no SQL, and `db`
//! no futures of its kind.

use db::PgPool;
use db::audit::{Actor, Entry, Outcome};
use domain::signing_key::{NewSigningKey, SigningKey};
use futures::future::BoxFuture;
use platform::sealing::Sealer;
use platform::signing::{KeyStore, Signer};
use serde_json::json;

/// A signer whose keys are the rows of this database.
pub fn signer(pool: &PgPool, sealer: &Sealer) -> Signer {
    Signer::new(Rows(pool.clone()), sealer.clone())
}

struct Rows(PgPool);

impl KeyStore for Rows {
    fn read(&self) -> BoxFuture<'_, anyhow::Result<Vec<SigningKey>>> {
        Box::pin(async {
            let mut conn = self.0.acquire().await?;
            Ok(db::signing_key::valid(&mut conn).await?)
        })
    }

    fn add(&self, new: NewSigningKey) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async move {
            let mut tx = db::scope::platform(&self.0).await?;
            if db::signing_key::insert(&mut tx, &new).await? {
                note(
                    &mut tx,
                    "signing_key.publish",
                    new.public.kid().as_str(),
                    &new,
                )
                .await?;
            }
            if let Some(kid) = db::signing_key::promote_first(&mut tx, new.purpose).await? {
                note(&mut tx, "signing_key.activate", kid.as_str(), &new).await?;
            }
            tx.commit().await?;
            Ok(())
        })
    }
}

async fn note(
    conn: &mut db::PgConnection,
    action: &str,
    kid: &str,
    new: &NewSigningKey,
) -> db::Result<()> {
    let entry = Entry {
        org_id: None,
        actor: Actor {
            kind: "system",
            id: "signer",
            user_id: None,
        },
        action,
        resource_kind: "signing_key",
        resource_id: Some(kid),
        outcome: Outcome::Allowed,
        reason: None,
        request_id: None,
        detail: &json!({ "purpose": new.purpose }),
    };
    db::audit::append(conn, entry).await.map(drop)
}
