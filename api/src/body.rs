//! Reads JSON bodies: strictly, with a pointer to what is wrong.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::call::Call;
use crate::problem::{Code, Problem};

/// How deep a body may nest (HRD-03).
const MAX_DEPTH: usize = 64;

/// The body as the type that the endpoint takes. The pipeline has received it already.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let call = Call::from_request_parts(parts, state).await?;
        if call.body.is_empty() {
            // Where every member may be missing, the whole body may.
            return serde_json::from_slice(b"{}").map(Self).map_err(|_| {
                Problem::new(Code::MalformedJson).detail("a body in JSON is required")
            });
        }
        read(&call.body).map(Self)
    }
}

/// Any JSON value, not too deep.
pub(crate) fn value(body: &[u8]) -> Result<Value, Problem> {
    check_depth(body)?;
    serde_json::from_slice(body).map_err(|error| syntax(&error))
}

/// A body as a type, strictly.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    check_depth(body)?;
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        match error.inner().classify() {
            Category::Data => {
                let detail = plain(error.inner());
                Problem::new(Code::InvalidRequest).at(pointer(error.path()), detail)
            }
            Category::Syntax | Category::Eof | Category::Io => syntax(error.inner()),
        }
    })?;
    json.end().map_err(|error| syntax(&error))?;
    Ok(value)
}

fn syntax(error: &serde_json::Error) -> Problem {
    let detail = format!(
        "line {}, column {}: {}",
        error.line(),
        error.column(),
        plain(error)
    );
    Problem::new(Code::MalformedJson).detail(detail)
}

/// The message without its position, which the pointer says better.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// A member's name as a part of a JSON pointer (RFC 6901).
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn pointer(path: &Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(escape(key)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .fold(String::new(), |text, segment| text + "/" + &segment)
}

/// Brackets outside of strings, counted before anything is built from them.
fn check_depth(body: &[u8]) -> Result<(), Problem> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Problem::new(Code::MalformedJson).detail("nested more than 64 deep"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only read by serde")]
        count: u8,
        #[serde(default)]
        #[expect(dead_code, reason = "only read by serde")]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read by serde")]
        name: domain::name::Name,
    }

    fn refusal(body: &str) -> (Code, Option<String>) {
        let problem = read::<Sample>(body.as_bytes()).expect_err(body);
        (
            problem.code(),
            problem.pointers().first().map(|p| (*p).to_owned()),
        )
    }

    #[test]
    fn hrd_04_every_fault_has_its_pointer() {
        let invalid = |pointer: &str| (Code::InvalidRequest, Some(pointer.to_owned()));
        assert!(read::<Sample>(br#"{"count": 1}"#).is_ok());
        assert_eq!(refusal(r#"{"count": 1, "extra": 2}"#), invalid("/extra"));
        assert_eq!(refusal(r#"{"count": 1000}"#), invalid("/count"));
        assert_eq!(refusal(r#"{"count": "1"}"#), invalid("/count"));
        assert_eq!(
            refusal(r#"{"count": 1, "inner": [{"name": ""}]}"#),
            invalid("/inner/0/name")
        );
        assert_eq!(
            refusal(r#"{"count": 1, "inner": [{"name": "x", "a/b": 1}]}"#),
            invalid("/inner/0/a~1b")
        );
        assert_eq!(refusal("{}"), invalid(""));
        assert_eq!(refusal("[]"), invalid(""));
    }

    #[test]
    fn what_is_no_json() {
        for bad in ["", "{", "{'count': 1}", "{\"count\": 1}}", "nul", "\u{0}"] {
            assert_eq!(refusal(bad).0, Code::MalformedJson, "{bad:?}");
        }
    }

    #[test]
    fn hrd_03_depth() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(value(nested(64).as_bytes()).is_ok());
        assert!(value(nested(65).as_bytes()).is_err());
        assert!(value(nested(1 << 20).as_bytes()).is_err());
        assert!(value(format!("\"{}\"", "[".repeat(100)).as_bytes()).is_ok());
        assert!(value(format!("\"\\\"{}\"", "[".repeat(100)).as_bytes()).is_ok());
    }
}
