//! What an object is called. Whatever Berth stores outside its database goes by such a name, in a
//! folder as in an object store; there is no other way to one.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use strum::{EnumString, IntoStaticStr, VariantArray};
use unicode_normalization::UnicodeNormalization as _;

/// Bytes of a whole path.
const PATH_BYTES: usize = 1_024;
/// Bytes of what is between two slashes.
const SEGMENT_BYTES: usize = 255;
/// A dot, a slash and a backslash to whoever decodes a name once too often.
const HIDDEN: [&str; 3] = ["%2e", "%2f", "%5c"];

/// A path below a [`Namespace`]: relative, in Unicode's form C, and the same to a file system, an
/// object store and whoever reads it from a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectPath(String);

/// Why a text is no path of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    #[error("a path has 1 to {PATH_BYTES} bytes, and {SEGMENT_BYTES} between two slashes at most")]
    Length,
    #[error("a path has no control characters and no backslashes")]
    Character,
    #[error("a path has no empty, `.` or `..` segment, and none ends in a dot or a space")]
    Segment,
    #[error("a path has nothing that is a dot, a slash or a backslash once it is decoded")]
    Encoded,
}

impl ObjectPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ObjectPath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        // Whoever is too long is not worth normalizing.
        if text.len() > PATH_BYTES {
            return Err(BadPath::Length);
        }
        let path: String = text.nfc().collect();
        check(&path)?;
        let decoded = percent_decode_str(&path).decode_utf8();
        let decoded = decoded.map_err(|_| BadPath::Encoded)?;
        for form in [&*path, &*decoded] {
            let form = form.to_ascii_lowercase();
            if HIDDEN.iter().any(|hidden| form.contains(hidden)) {
                return Err(BadPath::Encoded);
            }
        }
        if decoded != path {
            check(&decoded)?;
        }
        Ok(Self(path))
    }
}

fn check(path: &str) -> Result<(), BadPath> {
    if path.is_empty() || path.len() > PATH_BYTES {
        return Err(BadPath::Length);
    }
    if path.chars().any(|one| one.is_control() || one == '\\') {
        return Err(BadPath::Character);
    }
    for segment in path.split('/') {
        if segment.len() > SEGMENT_BYTES {
            return Err(BadPath::Length);
        }
        // `.` and `..` end in a dot, too.
        if segment.is_empty() || segment.ends_with(['.', ' ']) {
            return Err(BadPath::Segment);
        }
    }
    Ok(())
}

/// What objects are for. One of them reaches no object of another.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumString,
    IntoStaticStr,
    VariantArray,
    strum::Display,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Namespace {
    /// Partitions that left the database, and what is known of them.
    Archives,
    /// Signed heads of the audit chain.
    AuditHeads,
}

impl Namespace {
    pub const ALL: &'static [Self] = Self::VARIANTS;

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Where one object is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    pub namespace: Namespace,
    pub path: ObjectPath,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.path)
    }
}

#[cfg(test)]
mod tests;
