//! Signed documents in the object store.

use db::PgPool;
use domain::object_path::{Namespace, ObjectKey};
use domain::signed_document::{self, Document};
use domain::signing_key::Purpose;
use platform::signing::Signer;
use serde_json::{Map, Value};

use crate::receipt::sign_document;
use crate::refusal::Refusal;

/// A document signed with the key in force, and its canonical form (RFC 8785), which is what is stored.
pub(crate) async fn sign<D: Document>(
    signer: &Signer,
    what: &str,
    members: Map<String, Value>,
) -> Result<(Value, Vec<u8>), Refusal> {
    let key = signer.active(Purpose::JwtSigner).await;
    let key = key.map_err(|error| Refusal::Away(format!("{what}: {error}")))?;
    let document = sign_document::<D>(members, &key);
    let document = document.map_err(|error| Refusal::Away(format!("{what}: {error:?}")))?;
    let text = canonical(what, document.as_json())?;
    Ok((document.as_json().clone(), text))
}

/// What is stored of a document.
pub(crate) fn canonical(what: &str, document: &Value) -> Result<Vec<u8>, Refusal> {
    let text = serde_json_canonicalizer::to_vec(document);
    text.map_err(|error| Refusal::conflict(what, error))
}

/// Whether a document was signed, by a key that signs or has signed. Not in the snapshot of whoever
/// asks: the key may be younger than that.
pub(crate) async fn holds<D: Document>(pool: &PgPool, document: &Value) -> Result<bool, Refusal> {
    let Ok(claim) = signed_document::claim::<D>(document) else {
        return Ok(false);
    };
    let mut conn = pool.acquire().await?;
    let key = db::signing_key::public(&mut conn, &claim.kid).await?;
    Ok(key.is_some_and(|key| platform::signing::verify(&key, &claim.input, &claim.signature)))
}

/// Where an object is, by a path that somebody wrote down.
pub(crate) fn object(namespace: Namespace, path: &str) -> Result<ObjectKey, Refusal> {
    let path = path
        .parse()
        .map_err(|error| Refusal::conflict(path, error))?;
    Ok(ObjectKey { namespace, path })
}
