//! Walks the registry: whatever is registered must say who may call it, what it counts against,
//! whether it needs an idempotency key, what it is called in the audit log, and what it does.

use std::collections::BTreeSet;

use axum::http::Method;

use super::registry;
use crate::authorization::Needs;
use crate::endpoint::{Authentication, Endpoint, Idempotency};

/// POSTs that neither create nor spend nor start anything, so that repeating one is harmless.
/// This list may only shrink.
const WITHOUT_KEY: &[&str] = &[
    "/api/v1/api-keys/{id}:revoke",
    // Temporal's own clients call these; they change nothing, and each use is audited.
    "/internal/codec/decode",
    "/internal/codec/encode",
    "/internal/auth/jwks/refresh",
    // The provider names what it tells of; that is booked once.
    "/api/v1/payments/webhook",
    // A page asks, and a session ends once.
    "/auth/logout",
];

/// POSTs that only show something: what is asked is too much for a query.
const READING: &[&str] = &["/api/v1/allocations:plan", "/api/v1/admin/prices:preview"];

fn offenders(offends: impl Fn(&Endpoint) -> bool) -> Vec<String> {
    let all = registry();
    assert!(all.len() > 30, "the registry is there");
    all.iter()
        .filter(|e| offends(e))
        .map(|e| format!("{} {}", e.method, e.path))
        .collect()
}

fn is_safe(endpoint: &Endpoint) -> bool {
    endpoint.method == Method::GET || READING.contains(&&*endpoint.path)
}

#[test]
fn idm_01_every_post_needs_a_key() {
    let posts = offenders(|e| {
        let exempt = WITHOUT_KEY.contains(&&*e.path) || is_safe(e);
        (e.method == Method::POST && !exempt) != e.guard.idempotency.is_required()
    });
    assert_eq!(posts, [""; 0]);
}

#[test]
fn every_change_has_an_action_and_nothing_else_has() {
    assert_eq!(
        offenders(|e| is_safe(e) == e.guard.action.is_some()),
        [""; 0]
    );
}

#[test]
fn every_action_is_one_routes() {
    let mut seen = BTreeSet::new();
    let again = registry()
        .iter()
        .filter_map(|e| e.guard.action)
        .filter(|action| !seen.insert(action.name))
        .map(|action| action.name)
        .collect::<Vec<_>>();
    assert_eq!(again, [""; 0]);
}

#[test]
fn operators_actions_are_behind_operators_doors() {
    let wrong = offenders(|e| {
        let operator = e.guard.authentication == Authentication::PlatformOperator;
        let shown_to_finance =
            e.guard.authentication == Authentication::PlatformFinance && e.guard.action.is_none();
        let needs_operator = e.guard.action.is_some_and(|a| a.needs == Needs::Operator);
        let admin = e.path.starts_with("/api/v1/admin/");
        (admin || needs_operator) && !operator && !shown_to_finance
    });
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn finance_sees_money_and_changes_nothing() {
    let finance = |e: &Endpoint| e.guard.authentication == Authentication::PlatformFinance;
    let money = [
        "/admin/billing-",
        "/admin/credits",
        "/admin/reconciliations",
        "/admin/prices:",
    ];
    let of_money = |e: &Endpoint| money.iter().any(|part| e.path.contains(part));
    let wrong = offenders(|e| finance(e) && (e.guard.action.is_some() || !of_money(e)));
    assert_eq!(wrong, [""; 0]);
    let unseen = offenders(|e| of_money(e) && e.method == Method::GET && !finance(e));
    assert_eq!(unseen, [""; 0]);
}

#[test]
fn only_platform_endpoints_are_public() {
    let public = offenders(|e| e.guard.authentication == Authentication::Public);
    assert_eq!(
        public,
        [
            "GET /auth/login",
            "GET /auth/callback",
            "GET /livez",
            "GET /readyz",
            "GET /metrics",
            "GET /openapi.json",
            "GET /.well-known/jwks.json"
        ]
    );
}

#[test]
fn internal_endpoints_are_never_open() {
    let open = offenders(|e| {
        let internal = e.path.contains("/internal/");
        let allowed = [
            Authentication::InternalToken,
            Authentication::PlatformOperator,
        ];
        internal && !allowed.contains(&e.guard.authentication)
    });
    assert_eq!(open, [""; 0]);
    assert_eq!(
        offenders(|e| e.path.contains("/internal/") && !e.is_internal()),
        [""; 0]
    );
}

#[test]
fn every_endpoint_is_documented() {
    assert_eq!(offenders(|e| !e.is_documented()), [""; 0]);
}

#[test]
fn no_endpoint_is_registered_twice() {
    let mut seen = BTreeSet::new();
    for endpoint in registry() {
        let name = format!("{} {}", endpoint.method, endpoint.path);
        assert!(seen.insert(name.clone()), "{name} twice");
    }
}

#[test]
fn secrets_are_shown_once_where_credentials_are_issued() {
    let once = offenders(|e| matches!(e.guard.idempotency, Idempotency::ShownOnce(_)));
    assert_eq!(
        once,
        [
            "POST /api/v1/allocations/{id}/ssh-certificates",
            "POST /api/v1/api-keys",
            "POST /api/v1/api-keys/{id}:rotate"
        ]
    );
}
