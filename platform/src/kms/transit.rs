//! `OpenBao`'s and Vault's Transit engine, over its HTTP API. Wrapping keys never leave it.
//!
//! The keys are `derived`: each binding is a context with a key of its own, so that a wrapped key
//! does not unwrap elsewhere, and can be rewrapped by the server. What Berth's token may do is
//! stated in `doc/operations/README.md`; it cannot make, export or delete a key.
//!
//! A request that the server refuses to let in logs in again, once: a token file may have been
//! replaced. Nothing is tried a second time otherwise; callers are told to come again.

mod session;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use domain::envelope::{Binding, DataKey, KeyRef, Provider, Wrapped};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use tokio_util::task::AbortOnDropHandle;
use url::Url;
use zeroize::Zeroizing;

use self::session::Session;
use super::{KeyName, KmsError};
use crate::settings::TransitSettings;

const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long one request may take, from the first byte to the last.
const LIMIT: Duration = Duration::from_millis(1500);

/// A client of one Transit engine; keeps its token alive by itself.
pub struct Transit {
    server: Arc<Server>,
    prefix: String,
    _keeper: AbortOnDropHandle<()>,
}

/// The server, and what to say to be let in.
struct Server {
    http: reqwest::Client,
    address: Url,
    mount: String,
    namespace: Option<String>,
    session: Session,
}

#[derive(Serialize)]
struct Encrypt<'a> {
    plaintext: &'a str,
    context: &'a str,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
    key_version: NonZeroU32,
}

#[derive(Serialize)]
struct Decrypt<'a> {
    ciphertext: &'a str,
    context: &'a str,
}

#[derive(Deserialize)]
struct Decrypted {
    #[serde(deserialize_with = "wiped")]
    plaintext: Zeroizing<String>,
}

#[derive(Serialize)]
struct Hmac<'a> {
    input: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_version: Option<NonZeroU32>,
}

#[derive(Deserialize)]
struct Hmaced {
    #[serde(deserialize_with = "wiped")]
    hmac: Zeroizing<String>,
}

/// What every answer with something in it looks like.
#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

impl Transit {
    /// Connects when it is first needed; within a runtime.
    #[expect(
        clippy::disallowed_methods,
        reason = "the address is the operator's setting, and no tenant's"
    )]
    pub fn new(settings: &TransitSettings) -> anyhow::Result<Self> {
        // Twice is once: whoever comes second finds the same provider.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let server = Arc::new(Server {
            http,
            address: settings.address.clone(),
            mount: settings.mount.clone(),
            namespace: settings.namespace.clone(),
            session: Session::new(settings.login.clone()),
        });
        let kept = Arc::clone(&server);
        Ok(Self {
            server,
            prefix: settings.key.clone(),
            _keeper: AbortOnDropHandle::new(tokio::spawn(async move { kept.keep().await })),
        })
    }

    pub(super) async fn wrap(
        &self,
        name: KeyName,
        key: &DataKey,
        binding: &Binding,
    ) -> Result<Wrapped, KmsError> {
        let plaintext = Zeroizing::new(BASE64.encode(key.expose()));
        let request = Encrypt {
            plaintext: &plaintext,
            context: &BASE64.encode(binding.as_bytes()),
        };
        let path = self.path("encrypt", name);
        let answer: Answer<Encrypted> = self.server.call("encrypt", &path, &request).await?;
        let Encrypted {
            ciphertext,
            key_version,
        } = answer.data;
        if version_of(&ciphertext) != Some(key_version) {
            return Err(KmsError::Unavailable("it answered nonsense".to_owned()));
        }
        Ok(Wrapped {
            key: reference(name, key_version)?,
            edk: ciphertext.into_bytes(),
        })
    }

    pub(super) async fn unwrap(
        &self,
        key: &KeyRef,
        edk: &[u8],
        binding: &Binding,
    ) -> Result<DataKey, KmsError> {
        let name = KeyName::of(&key.id)
            .filter(|_| key.provider == Provider::Transit)
            .ok_or(KmsError::UnknownKey)?;
        let ciphertext = std::str::from_utf8(edk)
            .ok()
            .filter(|text| version_of(text) == Some(key.version))
            .ok_or(KmsError::Refused)?;
        let request = Decrypt {
            ciphertext,
            context: &BASE64.encode(binding.as_bytes()),
        };
        let path = self.path("decrypt", name);
        let answer: Answer<Decrypted> = self.server.call("decrypt", &path, &request).await?;
        let bytes = Zeroizing::new(
            BASE64
                .decode(&*answer.data.plaintext)
                .map_err(|_| KmsError::Refused)?,
        );
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KmsError::Refused)?;
        Ok(DataKey::from_bytes(Zeroizing::new(bytes)))
    }

    /// The server's HMAC of the label: one version of the key always gives the same.
    pub(super) async fn derive(
        &self,
        name: KeyName,
        version: Option<NonZeroU32>,
        label: &str,
    ) -> Result<(KeyRef, DataKey), KmsError> {
        let request = Hmac {
            input: &BASE64.encode(label),
            key_version: version,
        };
        let path = format!("{}/sha2-256", self.path("hmac", name));
        let answer: Answer<Hmaced> = self.server.call("hmac", &path, &request).await?;
        let hmac = answer.data.hmac;
        let nonsense = || KmsError::Unavailable("it answered nonsense".to_owned());
        let version = version_of(&hmac).ok_or_else(nonsense)?;
        let bytes = hmac.rsplit(':').next().map(|text| BASE64.decode(text));
        let bytes = Zeroizing::new(bytes.and_then(Result::ok).ok_or_else(nonsense)?);
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| nonsense())?;
        let key = reference(name, version)?;
        Ok((key, DataKey::from_bytes(Zeroizing::new(bytes))))
    }

    /// Wraps a key that is nobody's and unwraps it: all that Berth's token must be able to do.
    pub(super) async fn check(&self) -> Result<(), KmsError> {
        let key = DataKey::from_bytes(Zeroizing::new([0; 32]));
        let binding = Binding::of(&["berth", "readiness"]);
        let wrapped = self.wrap(KeyName::Columns, &key, &binding).await?;
        self.unwrap(&wrapped.key, &wrapped.edk, &binding).await?;
        Ok(())
    }

    fn path(&self, verb: &str, name: KeyName) -> String {
        format!(
            "{}/{verb}/{}-{}",
            self.server.mount,
            self.prefix,
            name.as_str()
        )
    }
}

fn reference(name: KeyName, version: NonZeroU32) -> Result<KeyRef, KmsError> {
    Ok(KeyRef {
        provider: Provider::Transit,
        id: name.as_str().parse().map_err(|_| KmsError::UnknownKey)?,
        version,
    })
}

/// A secret of an answer, wiped when it is dropped.
fn wiped<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

/// The number in `vault:v7:…`.
fn version_of(ciphertext: &str) -> Option<NonZeroU32> {
    let (version, _) = ciphertext.strip_prefix("vault:v")?.split_once(':')?;
    version.parse().ok()
}

impl Server {
    /// One request, counted by what came of it.
    async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        op: &'static str,
        path: &str,
        request: &Q,
    ) -> Result<A, KmsError> {
        let answer = self.ask_twice(path, request).await;
        let outcome = match &answer {
            Ok(_) => "ok",
            Err(KmsError::Unavailable(_)) => "unavailable",
            Err(_) => "refused",
        };
        metrics::counter!("enc_kms_requests_total", "provider" => "transit", "op" => op, "outcome" => outcome)
            .increment(1);
        answer
    }

    async fn ask_twice<Q: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        request: &Q,
    ) -> Result<A, KmsError> {
        let token = self.token().await?;
        match self.ask(path, &token, Some(request)).await {
            Err(Failure::Forbidden) => {}
            answer => return answer.map_err(Failure::into_error),
        }
        let token = self.token_instead_of(&token).await?;
        match self.ask(path, &token, Some(request)).await {
            Err(Failure::Forbidden) => Err(self.why_forbidden(&token).await),
            answer => answer.map_err(Failure::into_error),
        }
    }

    /// A token that is good and may not do this is another fault than one that is not good.
    async fn why_forbidden(&self, token: &secrecy::SecretString) -> KmsError {
        let known = self.look_up(token).await;
        KmsError::Unavailable(match known {
            Ok(_) => "its policy does not let Berth use the key".to_owned(),
            Err(_) => "its token has expired or was revoked".to_owned(),
        })
    }
}

/// What an answer other than success means.
#[derive(Debug)]
enum Failure {
    /// No such token, or not with this token.
    Forbidden,
    /// The server says that the request itself is wrong.
    Bad(String),
    Away(String),
}

impl Failure {
    fn of(status: StatusCode, errors: &[String]) -> Self {
        let told = |text: &str| errors.iter().any(|error| error.contains(text));
        match status.as_u16() {
            401 | 403 => Self::Forbidden,
            400 | 404 => Self::Bad(errors.join("; ")),
            503 if told("sealed") => Self::Away("it is sealed".to_owned()),
            503 if told("not initialized") => Self::Away("it is not initialized".to_owned()),
            // The cipher's own refusal comes as an error of the server.
            500 if told("authentication failed") => Self::Bad(errors.join("; ")),
            number => Self::Away(format!("it answered {number}")),
        }
    }

    fn into_error(self) -> KmsError {
        match self {
            Self::Forbidden => KmsError::Unavailable("it does not let us in".to_owned()),
            Self::Away(why) => KmsError::Unavailable(why),
            Self::Bad(why) if why.contains("key not found") => KmsError::UnknownKey,
            Self::Bad(why) if why.contains("disallowed by policy") => KmsError::UnknownVersion,
            Self::Bad(why) if why.contains("version") => KmsError::UnknownVersion,
            Self::Bad(_) => KmsError::Refused,
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Away(if error.is_timeout() {
            "it does not answer in time".to_owned()
        } else if error.is_connect() {
            "it cannot be reached".to_owned()
        } else {
            "its answer cannot be read".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_ciphertext() {
        assert_eq!(version_of("vault:v12:abc").map(NonZeroU32::get), Some(12));
        for bad in [
            "vault:v0:a",
            "vault:v:a",
            "vault:1:a",
            "v1:a",
            "",
            "vault:v1",
        ] {
            assert_eq!(version_of(bad), None, "{bad}");
        }
    }
}
