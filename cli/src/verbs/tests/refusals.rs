//! What a refusal looks like and what the process ends with.

use serde_json::json;

use super::server::{Reply, Server};
use super::{ALLOCATION, berth};
use crate::verbs::Exit;

#[tokio::test]
async fn a_problem_is_one_clear_line_and_one_for_each_field() {
    let problem = json!({
        "type": "urn:berth:problem:invalid_request", "title": "The body is not valid",
        "status": 422, "detail": "2 members are not valid", "code": "invalid_request",
        "request_id": "req-7", "retry": "never",
        "errors": [
            { "pointer": "/gpu_count", "detail": "must be at least 1" },
            { "pointer": "", "detail": "unknown member \u{1b}[31mx" },
        ],
    });
    let server = Server::start([Reply::json(422, &problem)]).await;
    let outcome = berth(
        &server,
        &["alloc", "extend", ALLOCATION, "--lease-seconds", "0"],
    )
    .await;
    assert_eq!(outcome.exit, Exit::Failed);
    assert_eq!(outcome.data, "");
    assert_eq!(
        outcome.talk,
        "berth: The body is not valid: 2 members are not valid (invalid_request, req-7)\n  \
         /gpu_count: must be at least 1\n  \
         the body: unknown member  [31mx\n"
    );
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_detail_that_repeats_the_title_is_said_once() {
    let problem = json!({
        "title": "There is no such thing", "status": 404, "detail": "There is no such thing",
        "code": "not_found", "request_id": "req-8", "retry": "never",
    });
    let server = Server::start([Reply::json(404, &problem)]).await;
    let outcome = berth(&server, &["alloc", "get", ALLOCATION]).await;
    assert_eq!(
        outcome.talk,
        "berth: There is no such thing (not_found, req-8)\n"
    );
}

#[tokio::test]
async fn exit_codes_follow_the_status() {
    let cases = [
        (401, Exit::Auth, 3),
        (403, Exit::Auth, 3),
        (404, Exit::NotFound, 4),
        (409, Exit::Failed, 1),
        (422, Exit::Failed, 1),
        (429, Exit::Failed, 1),
        (500, Exit::Failed, 1),
    ];
    for (status, exit, code) in cases {
        let server = Server::start([Reply::problem(status, "of_the_test", "never")]).await;
        let outcome = berth(&server, &["alloc", "get", ALLOCATION]).await;
        assert_eq!(
            (outcome.exit, outcome.exit.code()),
            (exit, code),
            "{status}"
        );
        assert_eq!(server.asked().len(), 1, "{status} was repeated");
    }
    assert_eq!(Exit::Ok.code(), 0);
    assert_eq!(Exit::Usage.code(), 2);
    assert_eq!(Exit::TimedOut.code(), 124);
}

#[tokio::test]
async fn a_read_is_repeated_while_the_api_starts() {
    let starting = Reply::problem(503, "unavailable", "same_key");
    let server = Server::start([
        Reply::text(502, ""),
        starting,
        Reply::text(200, r#"{"items":[]}"#),
    ])
    .await;
    let outcome = berth(&server, &["alloc", "list", "-o", "json"]).await;
    assert_eq!(outcome.exit, Exit::Ok, "{outcome:?}");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn an_answer_that_is_not_berths_is_called_that() {
    let server = Server::start([Reply::text(404, "<html>not here</html>")]).await;
    let outcome = berth(&server, &["alloc", "get", ALLOCATION]).await;
    assert_eq!(outcome.exit, Exit::NotFound);
    assert!(outcome.talk.contains("not Berth's API"), "{}", outcome.talk);
    let server = Server::start([Reply::text(200, "[]")]).await;
    let outcome = berth(&server, &["alloc", "get", ALLOCATION]).await;
    assert_eq!(outcome.exit, Exit::Failed);
}

#[tokio::test]
async fn the_key_does_not_follow_a_redirect() {
    let elsewhere = Server::start([Reply::text(200, "{}")]).await;
    let away = Reply::text(307, "").with("location", &elsewhere.url());
    let server = Server::start([away]).await;
    let outcome = berth(&server, &["alloc", "get", ALLOCATION]).await;
    assert_eq!(outcome.exit, Exit::Failed);
    assert!(elsewhere.asked().is_empty());
}
