//! Every `code` that an error answer can carry. Codes are kept for ever; texts may change.

use axum::http::StatusCode;

/// Whether a client should try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// The same request will fail again.
    Never,
    /// Nothing was done, or it is not known: repeat with the same `Idempotency-Key`.
    SameKey,
    /// After a while, as `Retry-After` says if it is there.
    Later,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $status:ident, $title:literal, $retry:ident;)+) => {
        /// What kind of problem it is; decides the status, the title and the advice on retries.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $title] $name,)+ }

        impl Code {
            /// Every code, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// A short text that is the same at every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            pub fn retry(self) -> Retry {
                match self { $(Self::$name => Retry::$retry,)+ }
            }
        }
    };
}

codes! {
    // What was sent
    MalformedJson = "malformed_json", BAD_REQUEST, "The body is not JSON", Never;
    MalformedRequest = "malformed_request", BAD_REQUEST, "The request cannot be read", Never;
    InvalidQuery = "invalid_query", BAD_REQUEST, "A query parameter is not valid", Never;
    InvalidPageToken = "invalid_page_token", BAD_REQUEST, "The page token is not one of this list", Never;
    InvalidRequest = "invalid_request", UNPROCESSABLE_ENTITY, "The body is not valid", Never;
    UnknownSku = "unknown_sku", UNPROCESSABLE_ENTITY, "Nothing of this name is sold", Never;
    ProbeTargetDenied = "probe_target_denied", BAD_REQUEST, "The target is not an address that nodes may have", Never;
    InvalidPublicKey = "invalid_public_key", UNPROCESSABLE_ENTITY, "The public key is not acceptable", Never;
    NotSupported = "not_supported", UNPROCESSABLE_ENTITY, "This is not supported", Never;
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large", Never;
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "The body did not arrive in time", SameKey;
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Only application/json is understood", Never;
    // Who sent it
    CredentialsRequired = "credentials_required", UNAUTHORIZED, "Credentials are required", Never;
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED, "The credentials open nothing", Never;
    CredentialsExpired = "credentials_expired", UNAUTHORIZED, "The credentials have expired", Never;
    CredentialsRevoked = "credentials_revoked", UNAUTHORIZED, "The credentials were revoked", Never;
    OrganizationRequired = "organization_required", BAD_REQUEST, "The request must name an organization", Never;
    MultipleCredentials = "multiple_credentials", BAD_REQUEST, "Exactly one credential may be given", Never;
    Forbidden = "forbidden", FORBIDDEN, "The caller has no right to do this", Never;
    // What it is about
    NotFound = "not_found", NOT_FOUND, "There is no such thing", Never;
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The resource does not know this method", Never;
    Conflict = "conflict", CONFLICT, "The resource's state does not allow this", Never;
    NameTaken = "name_taken", CONFLICT, "The name is taken", Never;
    LimitReached = "limit_reached", CONFLICT, "There are as many as there may be", Never;
    InUse = "in_use", CONFLICT, "Something still uses the resource", Never;
    Gone = "gone", GONE, "The resource was deleted", Never;
    PreconditionRequired = "precondition_required", PRECONDITION_REQUIRED, "If-Match is required", Never;
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED, "The resource was changed by somebody else", Never;
    // Once, and only once
    IdempotencyKeyRequired = "idempotency_key_required", BAD_REQUEST, "Idempotency-Key is required", Never;
    IdempotencyKeyInvalid = "idempotency_key_invalid", BAD_REQUEST, "Idempotency-Key is not valid", Never;
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The key was used for another request", Never;
    IdempotencyInProgress = "idempotency_in_progress", CONFLICT, "The same request is still at work", SameKey;
    SecretAlreadyDelivered = "secret_already_delivered", CONFLICT, "The secret was shown once and is kept nowhere", Never;
    // How often it was sent
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "That is more often than is allowed", Later;
    // What is ours
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong inside", SameKey;
    SealedValueUnreadable = "sealed_value_unreadable", INTERNAL_SERVER_ERROR, "A sealed value cannot be opened", Never;
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "A part that is needed does not answer", SameKey;
    PartitionMissing = "partition_missing", SERVICE_UNAVAILABLE, "There is no place for it yet", SameKey;
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too many requests are at work", SameKey;
    Timeout = "timeout", SERVICE_UNAVAILABLE, "The request took too long", SameKey;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code:?} twice");
            assert!(
                code.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_')
            );
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }
}
