//! Objects in a bucket.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use domain::object_path::{Namespace, ObjectKey, ObjectPath};
use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore as _, ObjectStoreExt as _, RetryConfig};
use secrecy::ExposeSecret as _;
use tokio::io::AsyncWriteExt as _;

use super::{ObjectError, Result};
use crate::settings::S3Settings;

/// A request and its answer.
const TIMEOUT: Duration = Duration::from_mins(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries of one request beside the first; whoever asks tries again after that.
const RETRIES: usize = 2;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
/// What is sent at once; a bucket takes 10,000 such parts.
const PART_BYTES: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct S3 {
    store: Arc<AmazonS3>,
}

impl S3 {
    pub(super) fn new(settings: &S3Settings) -> anyhow::Result<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let options = ClientOptions::new()
            .with_timeout(TIMEOUT)
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
            store: Arc::new(builder.build()?),
        })
    }

    pub(super) async fn put(&self, key: &ObjectKey, content: File) -> Result<()> {
        let mut content = tokio::fs::File::from_std(content);
        let mut to = BufWriter::with_capacity(self.store.clone(), path(key)?, PART_BYTES);
        let sent = async {
            tokio::io::copy(&mut content, &mut to).await?;
            // What has no end is no object.
            to.shutdown().await
        };
        Ok(sent.await?)
    }

    pub(super) async fn get(&self, key: &ObjectKey) -> Result<File> {
        let failed = |error| match error {
            object_store::Error::NotFound { .. } => ObjectError::Missing(key.clone()),
            other => ObjectError::unavailable(&other),
        };
        let mut content = tokio::fs::File::from_std(tempfile::tempfile()?);
        let mut from = self
            .store
            .get(&path(key)?)
            .await
            .map_err(failed)?
            .into_stream();
        while let Some(piece) = from.try_next().await.map_err(failed)? {
            content.write_all(&piece).await?;
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
        last.await.map_err(|error| ObjectError::unavailable(&error))
    }
}

fn path(key: &ObjectKey) -> Result<Path> {
    Path::parse(key.to_string()).map_err(|error| ObjectError::unavailable(&error))
}
