//! What makes two requests the same (IDM-03): method, route with its parameters, sorted query,
//! content type and the canonical form of the body (RFC 8785).

use axum::http::{HeaderMap, header};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::body::escape;
use crate::call::Call;
use crate::problem::Problem;

/// SHA-256 over everything that a repetition must repeat.
pub(super) fn of(call: &Call, headers: &HeaderMap, query: &str) -> Result<[u8; 32], Problem> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|text| {
            text.split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase()
        });
    let parts = Parts {
        method: call.endpoint.method.as_str(),
        path: &call.path,
        query,
        media_type: media_type.as_deref().unwrap_or_default(),
        body: &call.body,
    };
    parts.digest()
}

struct Parts<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    media_type: &'a str,
    body: &'a [u8],
}

impl Parts<'_> {
    fn digest(&self) -> Result<[u8; 32], Problem> {
        let mut pairs: Vec<&str> = self
            .query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .collect();
        pairs.sort_unstable();
        let body = if self.body.is_empty() {
            Vec::new()
        } else {
            canonical(self.body)?
        };
        let mut hash = Sha256::new();
        let texts = [self.method, self.path, &pairs.join("&"), self.media_type];
        for part in texts.map(str::as_bytes).into_iter().chain([&body[..]]) {
            // Lengths keep neighbours apart.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Ok(hash.finalize().into())
    }
}

fn canonical(body: &[u8]) -> Result<Vec<u8>, Problem> {
    let value = crate::body::value(body)?;
    if let Some(pointer) = inexact(&value) {
        return Err(Problem::invalid(
            pointer,
            "integers beyond 2^53 are not taken",
        ));
    }
    serde_json_canonicalizer::to_vec(&value).map_err(|error| Problem::internal(&error))
}

/// Where a number stands that RFC 8785, which writes every number as a double, would make look
/// like another.
fn inexact(value: &Value) -> Option<String> {
    const LIMIT: u64 = 1 << 53;
    match value {
        Value::Number(number) => {
            let exact = number.as_i64().is_none_or(|n| n.unsigned_abs() <= LIMIT)
                && number.as_u64().is_none_or(|n| n <= LIMIT);
            (!exact).then(String::new)
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| Some(format!("/{index}{}", inexact(item)?))),
        Value::Object(members) => members
            .iter()
            .find_map(|(name, member)| Some(format!("/{}{}", escape(name), inexact(member)?))),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(query: &str, body: &str) -> [u8; 32] {
        let parts = Parts {
            method: "POST",
            path: "/api/v1/projects",
            query,
            media_type: "application/json",
            body: body.as_bytes(),
        };
        parts.digest().expect("valid JSON")
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The same value with the members of every object written in reverse, and with spaces.
    fn reversed(value: &Value) -> String {
        match value {
            Value::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .rev()
                    .map(|(name, value)| {
                        format!("{} :\n{}", Value::from(name.as_str()), reversed(value))
                    })
                    .collect();
                format!("{{ {} }}", members.join(" , "))
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(reversed).collect();
                format!("[ {} ]", items.join(" , "))
            }
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn idm_03_reordered_members_are_the_same_request(value in json()) {
            prop_assert_eq!(digest("", &value.to_string()), digest("", &reversed(&value)));
        }

        #[test]
        fn idm_03_another_value_is_another_request(one in json(), other in json()) {
            prop_assume!(one != other);
            prop_assert_ne!(digest("", &one.to_string()), digest("", &other.to_string()));
        }
    }

    #[test]
    fn idm_03_query_order_does_not_matter_but_the_query_does() {
        assert_eq!(digest("a=1&b=2", "{}"), digest("b=2&a=1", "{}"));
        assert_ne!(digest("a=1", "{}"), digest("a=2", "{}"));
    }

    #[test]
    fn idm_03_parts_do_not_run_into_each_other() {
        let parts = |path, query| Parts {
            method: "POST",
            path,
            query,
            media_type: "",
            body: b"",
        };
        let one = parts("/a", "b=c").digest().expect("no body");
        let other = parts("/ab=c", "").digest().expect("no body");
        assert_ne!(one, other);
    }

    #[test]
    fn integers_that_doubles_cannot_tell_apart_are_refused() {
        let refused = |text: &str| canonical(text.as_bytes()).is_err();
        assert!(refused("[9007199254740993]"));
        assert!(refused("{\"n\": -9007199254740993}"));
        assert!(refused("[18446744073709551615]"));
        assert!(!refused(
            "[9007199254740992, -9007199254740992, 1.5, 1e300]"
        ));
    }
}
