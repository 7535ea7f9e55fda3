//! Reads `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a quoted string of
//! structured fields (RFC 9651) or, as many clients send it, the bare text.

use axum::http::{HeaderMap, HeaderName};

use crate::problem::{Code, Problem};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_CHARS: usize = 255;

/// The key's text, 1 to 255 visible ASCII characters (IDM-01).
pub(super) fn parse(headers: &HeaderMap) -> Result<String, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let first = given
        .next()
        .ok_or_else(|| Problem::new(Code::IdempotencyKeyRequired))?;
    let invalid = || {
        Problem::new(Code::IdempotencyKeyInvalid)
            .detail("one key of 1 to 255 visible ASCII characters, quoted or bare")
    };
    let text = first.to_str().map_err(|_| invalid())?.trim();
    if given.next().is_some() {
        return Err(invalid());
    }
    let key = match text.strip_prefix('"') {
        Some(rest) => unquote(rest).ok_or_else(invalid)?,
        None => text.to_owned(),
    };
    let visible = key.bytes().all(|b| b.is_ascii_graphic());
    if visible && (1..=MAX_CHARS).contains(&key.len()) {
        Ok(key)
    } else {
        Err(invalid())
    }
}

/// The inside of a quoted string; only `"` and `\` are escaped.
fn unquote(rest: &str) -> Option<String> {
    let mut key = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(key),
            '\\' => key.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => key.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&str]) -> Result<String, Code> {
        let headers = values
            .iter()
            .map(|v| {
                (
                    IDEMPOTENCY_KEY,
                    HeaderValue::from_bytes(v.as_bytes()).expect("a header"),
                )
            })
            .collect();
        parse(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn idm_01_quoted_or_bare() {
        assert_eq!(
            read(&["8e03978e-40d5-43dd"]),
            Ok("8e03978e-40d5-43dd".to_owned())
        );
        assert_eq!(
            read(&["\"8e03978e-40d5-43dd\""]),
            Ok("8e03978e-40d5-43dd".to_owned())
        );
        assert_eq!(read(&[r#""a\"b\\c""#]), Ok(r#"a"b\c"#.to_owned()));
        assert_eq!(read(&[&"k".repeat(255)]), Ok("k".repeat(255)));
    }

    #[test]
    fn idm_01_missing_and_invalid() {
        assert_eq!(read(&[]), Err(Code::IdempotencyKeyRequired));
        let long = "k".repeat(256);
        for bad in [
            "", "\"\"", "\"open", "\"a\"b", "a b", "\"a b\"", "\"a\\x\"", "ä", &long,
        ] {
            assert_eq!(read(&[bad]), Err(Code::IdempotencyKeyInvalid), "{bad}");
        }
        assert_eq!(read(&["a", "a"]), Err(Code::IdempotencyKeyInvalid));
    }
}
