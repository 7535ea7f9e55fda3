//! Objects in a folder. Every path is resolved below it by the kernel (openat2, `RESOLVE_BENEATH`),
//! whatever links there are in it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, OpenOptions};
use cap_std::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use domain::object_path::{Namespace, ObjectKey, ObjectPath};

use super::{ObjectError, Result};

/// Of folders and files: nobody else's business.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Where objects are until they are whole, beside the namespaces. What is in there while nobody writes
/// was left by somebody who was killed.
const UNFINISHED: &str = "unfinished";

#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) async fn put(&self, key: &ObjectKey, mut content: File) -> Result<()> {
        let (root, namespace) = (self.root.clone(), key.namespace);
        let path = PathBuf::from(key.path.as_str());
        let done = blocking(move || {
            let folder = open(&root, namespace.as_str())?;
            let aside = open(&root, UNFINISHED)?;
            let parent = path.parent().unwrap_or(Path::new(""));
            if !parent.as_os_str().is_empty() {
                folder.create_dir_with(parent, &builder())?;
            }
            let unfinished = format!("{:016x}", rand::random::<u64>());
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(FILE_MODE);
            let mut to = aside.open_with(&unfinished, &options)?.into_std();
            io::copy(&mut content, &mut to)?;
            to.sync_all()?;
            aside.rename(&unfinished, &folder, &path)?;
            // A name is there for good once its folder is, and so on.
            for above in path.ancestors().skip(1) {
                let above = if above.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    above
                };
                folder.open(above)?.sync_all()?;
            }
            Ok(())
        });
        Ok(done.await?)
    }

    /// At most the first `limit_bytes` of it.
    pub(super) async fn get(&self, key: &ObjectKey, limit_bytes: u64) -> Result<File> {
        self.at(key, move |folder, path| {
            let from = folder.open(&path)?.into_std();
            let mut content = tempfile::tempfile()?;
            io::copy(&mut from.take(limit_bytes), &mut content)?;
            Ok(content)
        })
        .await
    }

    pub(super) async fn last(&self, namespace: Namespace) -> Result<Option<ObjectPath>> {
        let root = self.root.clone();
        blocking(move || {
            let mut last = None;
            for entry in open(&root, namespace.as_str())?.entries()? {
                let name = entry?.file_name();
                let path: Option<ObjectPath> = name.to_str().and_then(|name| name.parse().ok());
                last = last.max(path);
            }
            Ok(last)
        })
        .await
        .map_err(ObjectError::from)
    }

    /// Does something in the folder of a namespace.
    async fn at<T: Send + 'static>(
        &self,
        key: &ObjectKey,
        act: impl FnOnce(Dir, PathBuf) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (root, namespace) = (self.root.clone(), key.namespace);
        let path = PathBuf::from(key.path.as_str());
        let done = blocking(move || act(open(&root, namespace.as_str())?, path)).await;
        done.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ObjectError::Missing(key.clone()),
            _ => error.into(),
        })
    }
}

fn builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE);
    builder
}

/// A folder below the root, which is made where there is none.
fn open(root: &Path, name: &str) -> io::Result<Dir> {
    if !root.exists() {
        Dir::create_ambient_dir_all(root, ambient_authority())?;
    }
    let root = Dir::open_ambient_dir(root, ambient_authority())?;
    root.create_dir_with(name, &builder())?;
    root.open_dir(name)
}

async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(act)
        .await
        .map_err(io::Error::other)?
}
