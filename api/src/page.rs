//! Lists in pages: `?limit=&page_token=` in, `{items, next_page_token}` out.
//!
//! A page token says where the next page starts and which list it belongs to; its checksum tells
//! a token of ours from any other text. It is no secret and no right: rows are filtered by the
//! caller's organization whatever the token says.

use std::str::FromStr;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::resource::Resource;

/// Items of a page when the caller does not say.
pub const DEFAULT_LIMIT: u16 = 50;
/// Items of a page at most.
pub const MAX_LIMIT: u16 = 200;

/// Which page is wanted.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many items at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: u16,
    /// `next_page_token` of the page before.
    page_token: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<R> {
    pub items: Vec<R>,
    /// Give it as `page_token` to read on; null: this was the last page.
    #[schema(required)]
    pub next_page_token: Option<String>,
}

fn default_limit() -> u16 {
    DEFAULT_LIMIT
}

impl Paging {
    /// How many rows to read: one more than the page holds, to know whether another follows.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The id that the page starts after, in the list of `R`.
    pub fn after<R: Resource, Id: FromStr>(&self) -> Result<Option<Id>, Problem> {
        self.page_token
            .as_deref()
            .map(|token| {
                open(R::KIND, token)
                    .and_then(|id| id.parse().ok())
                    .ok_or_else(|| Problem::new(Code::InvalidPageToken))
            })
            .transpose()
    }

    /// The page of what was read with [`Self::rows`].
    pub fn page<R: Resource>(&self, mut items: Vec<R>) -> Page<R> {
        let limit = usize::from(self.limit);
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        Page {
            next_page_token: last.map(|last| seal(R::KIND, &last.id())),
            items,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(paging) = Query::<Self>::from_request_parts(parts, state).await?;
        if (1..=MAX_LIMIT).contains(&paging.limit) {
            Ok(paging)
        } else {
            Err(Problem::new(Code::InvalidQuery).detail("limit must be between 1 and 200"))
        }
    }
}

impl<R: Serialize> IntoResponse for Page<R> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

fn seal(list: &str, id: &str) -> String {
    let mut bytes = format!("{list}\n{id}").into_bytes();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn open(list: &str, token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (text, checksum) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(text).to_be_bytes() != *checksum {
        return None;
    }
    let (of, id) = std::str::from_utf8(text).ok()?.split_once('\n')?;
    (of == list).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tokens_round_trip_in_their_own_list_only(id in "[a-z]{1,8}_[0-9a-f]{32}") {
            let token = seal("project", &id);
            prop_assert_eq!(open("project", &token), Some(id));
            prop_assert_eq!(open("api_key", &token), None);
        }

        #[test]
        fn other_texts_are_no_tokens(text in any::<String>()) {
            prop_assert_eq!(open("project", &text), None);
        }

        #[test]
        fn a_changed_token_is_no_token(id in "[a-z]{1,8}_[0-9a-f]{32}", at in any::<prop::sample::Index>()) {
            let mut token = seal("project", &id).into_bytes();
            let at = at.index(token.len());
            token[at] = if token[at] == b'A' { b'B' } else { b'A' };
            let token = String::from_utf8(token).expect("ASCII");
            // The last digit may hold unused bits only; decoding refuses those.
            prop_assert_eq!(open("project", &token), None);
        }
    }
}
