//! Where objects lie.

use std::path::PathBuf;

use url::Url;

use super::{From, Result, SettingsError, WEB, bad};
use crate::settings::{ObjectSettings, S3Settings};

const BUCKET: &str = "BERTH_OBJECTS_BUCKET";
const ENDPOINT: &str = "BERTH_OBJECTS_ENDPOINT";
const ID: &str = "BERTH_OBJECTS_ACCESS_KEY_ID";
const SECRET: &str = "BERTH_OBJECTS_SECRET_ACCESS_KEY";

pub(super) fn settings(from: &From<'_>) -> Result<ObjectSettings> {
    let Some(bucket) = from.get(BUCKET) else {
        // Whoever sets one of these means a bucket: a folder would not be what he wants.
        if let Some(name) = [ENDPOINT, ID, SECRET]
            .into_iter()
            .find(|name| from.get(name).is_some())
        {
            return Err(bad(name, "of no use without BERTH_OBJECTS_BUCKET"));
        }
        let folder = PathBuf::from(from.required("BERTH_OBJECTS_DIR")?);
        return Ok(ObjectSettings::Folder(folder));
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(plain) {
        return Err(bad(BUCKET, "not 3 to 63 of a-z, 0-9, hyphen and dot"));
    }
    let endpoint = from.url(ENDPOINT, WEB)?;
    let endpoint = endpoint
        .map(|url| Url::parse(&url).map_err(|_| bad(ENDPOINT, "not a URL")))
        .transpose()?;
    Ok(ObjectSettings::S3(Box::new(S3Settings {
        bucket: bucket.to_owned(),
        endpoint,
        region: from.required("BERTH_OBJECTS_REGION")?.to_owned(),
        access_key_id: needed(from, ID)?.to_owned(),
        secret_access_key: needed(from, SECRET)?.into(),
    })))
}

fn needed<'a>(from: &From<'a>, name: &'static str) -> Result<&'a str> {
    from.get(name).ok_or(SettingsError::Missing {
        name,
        text: "how to log in at BERTH_OBJECTS_BUCKET",
    })
}
