//! Objects in a bucket.

use std::fs::File;
use std::time::Duration;

use domain::object_path::{Namespace, ObjectKey, ObjectPath};
use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    ClientOptions, ObjectStore as _, ObjectStoreExt as _, RetryConfig, WriteMultipart,
};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{ObjectError, Result};
use crate::settings::S3Settings;

/// How long nothing may come; the whole of an object may take as long as it does.
const SILENCE: Duration = Duration::from_mins(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries of one request beside the first; whoever asks tries again after that.
const RETRIES: usize = 2;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
/// What is sent at once, at least.
const PART_BYTES: usize = 8 << 20;
/// A bucket takes 10,000 parts of an object.
const PARTS: u64 = 9_000;
/// Such parts on their way.
const AT_ONCE: usize = 4;

#[derive(Debug)]
pub(super) struct S3 {
    store: AmazonS3,
}

impl S3 {
    pub(super) fn new(settings: &S3Settings) -> anyhow::Result<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let options = ClientOptions::new()
            .with_timeout_disabled()
            .with_read_timeout(SILENCE)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_allow_http(true);
        let retry = RetryConfig {
            max_retries: RETRIES,
            retry_timeout: RETRY_TIMEOUT,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key.expose_secret())
            .with_client_options(options)
            .with_retry(retry);
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        Ok(Self {
            store: builder.build()?,
        })
    }

    pub(super) async fn put(&self, key: &ObjectKey, content: File) -> Result<()> {
        let size = usize::try_from(content.metadata()?.len() / PARTS).unwrap_or(usize::MAX);
        let size = size.max(PART_BYTES);
        let (key, mut content) = (path(key)?, tokio::fs::File::from_std(content));
        let mut piece = part(&mut content, size).await?;
        if piece.len() < size {
            self.store.put(&key, piece.into()).await.map_err(away)?;
            return Ok(());
        }
        let upload = self.store.put_multipart(&key).await.map_err(away)?;
        let mut to = WriteMultipart::new_with_chunk_size(upload, size);
        // Parts that never become an object would be paid for: `finish` aborts by itself, the rest here.
        while !piece.is_empty() {
            to.put(piece.into());
            let next = async {
                to.wait_for_capacity(AT_ONCE).await.map_err(away)?;
                Ok(part(&mut content, size).await?)
            };
            piece = match next.await {
                Ok(piece) => piece,
                Err(error) => {
                    if let Err(error) = to.abort().await {
                        tracing::warn!(%error, %key, "parts of it may be left");
                    }
                    return Err(error);
                }
            };
        }
        to.finish().await.map_err(away)?;
        Ok(())
    }

    /// At most `limit_bytes` of it, and the rest of the last piece that came.
    pub(super) async fn get(&self, key: &ObjectKey, limit_bytes: u64) -> Result<File> {
        let failed = |error| match error {
            object_store::Error::NotFound { .. } => ObjectError::Missing(key.clone()),
            other => away(other),
        };
        let mut content = tokio::fs::File::from_std(tempfile::tempfile()?);
        let mut from = self
            .store
            .get(&path(key)?)
            .await
            .map_err(failed)?
            .into_stream();
        let mut fetched = 0;
        while fetched < limit_bytes
            && let Some(piece) = from.try_next().await.map_err(failed)?
        {
            content.write_all(&piece).await?;
            fetched += piece.len() as u64;
        }
        content.flush().await?;
        Ok(content.into_std().await)
    }

    pub(super) async fn last(&self, namespace: Namespace) -> Result<Option<ObjectPath>> {
        let prefix = Path::from(namespace.as_str());
        let last = self.store.list(Some(&prefix)).try_fold(None, |last, one| {
            let name = one.location.filename().and_then(|name| name.parse().ok());
            std::future::ready(Ok(last.max(name)))
        });
        last.await.map_err(away)
    }
}

fn path(key: &ObjectKey) -> Result<Path> {
    Path::parse(key.to_string()).map_err(|error| ObjectError::unavailable(&error))
}

/// The next part of what is to be sent; shorter than a part only at the end.
async fn part(content: &mut tokio::fs::File, size: usize) -> std::io::Result<Vec<u8>> {
    let mut piece = Vec::new();
    content.take(size as u64).read_to_end(&mut piece).await?;
    Ok(piece)
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
fn away(error: object_store::Error) -> ObjectError {
    ObjectError::unavailable(&error)
}
