//! Objects outside the database: a folder, or a bucket of any server that speaks S3.
//!
//! Whatever is stored goes by an [`ObjectKey`], and there are three things to do with one. Content
//! comes and goes as a file of a size that no memory has to hold; one that is given back has no name,
//! and is gone once it is dropped.

mod folder;
mod s3;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::sync::Arc;

use domain::object_path::{Namespace, ObjectKey, ObjectPath};

use self::folder::Folder;
use self::s3::S3;
use crate::settings::ObjectSettings;

/// An object was not stored, or not found.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("there is no object {0}")]
    Missing(ObjectKey),
    #[error("the object {0} is larger than it may be")]
    TooLarge(ObjectKey),
    /// Away, full, or not letting us in: it may work later.
    #[error("the object storage: {0}")]
    Unavailable(String),
}

impl ObjectError {
    fn unavailable(error: &(dyn std::error::Error + 'static)) -> Self {
        // What fails is said by the innermost.
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            let inner_text = inner.to_string();
            if !text.contains(&inner_text) {
                text = format!("{text}: {inner_text}");
            }
            source = inner.source();
        }
        Self::Unavailable(text)
    }
}

impl From<io::Error> for ObjectError {
    fn from(error: io::Error) -> Self {
        Self::unavailable(&error)
    }
}

type Result<T> = std::result::Result<T, ObjectError>;

/// Where objects lie. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects(Arc<Place>);

#[derive(Debug)]
enum Place {
    Folder(Folder),
    S3(S3),
}

impl Objects {
    /// Nothing is made or asked yet.
    pub fn open(settings: &ObjectSettings) -> anyhow::Result<Self> {
        let place = match settings {
            ObjectSettings::Folder(root) => Place::Folder(Folder::new(root.clone())),
            ObjectSettings::S3(settings) => Place::S3(S3::new(settings)?),
        };
        Ok(Self(Arc::new(place)))
    }

    /// Stores a file's content, all of it or nothing; replaces what is there.
    pub async fn put(&self, key: &ObjectKey, mut content: File) -> Result<()> {
        content.rewind()?;
        match &*self.0 {
            Place::Folder(folder) => folder.put(key, content).await,
            Place::S3(s3) => s3.put(key, content).await,
        }
    }

    /// The same of bytes.
    pub async fn put_bytes(&self, key: &ObjectKey, bytes: &[u8]) -> Result<()> {
        let mut content = tempfile::tempfile()?;
        content.write_all(bytes)?;
        self.put(key, content).await
    }

    /// A file with an object's content, at its beginning. Of one that is larger no more is fetched
    /// than shows it.
    pub async fn get(&self, key: &ObjectKey, limit_bytes: u64) -> Result<File> {
        let enough = limit_bytes.saturating_add(1);
        let mut content = match &*self.0 {
            Place::Folder(folder) => folder.get(key, enough).await,
            Place::S3(s3) => s3.get(key, enough).await,
        }?;
        if content.metadata()?.len() > limit_bytes {
            return Err(ObjectError::TooLarge(key.clone()));
        }
        content.rewind()?;
        Ok(content)
    }

    /// The same as bytes.
    pub async fn get_bytes(&self, key: &ObjectKey, limit_bytes: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut content = self.get(key, limit_bytes).await?;
        content.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The last object of a namespace, in the order of names.
    pub async fn last(&self, namespace: Namespace) -> Result<Option<ObjectPath>> {
        match &*self.0 {
            Place::Folder(folder) => folder.last(namespace).await,
            Place::S3(s3) => s3.last(namespace).await,
        }
    }
}

#[cfg(test)]
mod tests;
