use super::*;

async fn body(response: Response) -> serde_json::Value {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 16)
        .await
        .expect("a whole body");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test]
async fn every_code_renders_completely() {
    for code in Code::ALL {
        let response = finish(Problem::new(*code).into_response(), "req_1");
        assert_eq!(response.status(), code.status());
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let body = body(response).await;
        assert_eq!(body["code"], code.as_str());
        assert_eq!(body["status"], code.status().as_u16());
        assert_eq!(body["request_id"], "req_1");
        for field in ["type", "title", "detail", "retry"] {
            assert!(body[field].is_string(), "{field} of {code:?}");
        }
    }
}

#[tokio::test]
async fn bare_error_answers_become_problems_and_keep_allow() {
    let bare = (
        StatusCode::METHOD_NOT_ALLOWED,
        [(header::ALLOW, "GET")],
        "text",
    )
        .into_response();
    let response = finish(bare, "req_1");
    assert_eq!(response.headers()[header::ALLOW], "GET");
    assert_eq!(body(response).await["code"], "method_not_allowed");
}

#[tokio::test]
async fn hrd_04_errors_of_the_database_do_not_leave() {
    let secret = "relation \"api_keys\" does not exist";
    let error = db::Error::Database(sqlx::Error::Protocol(secret.to_owned()));
    let response = finish(Problem::from(error).into_response(), "req_1");
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!body(response).await.to_string().contains("api_keys"));
}

#[tokio::test]
async fn what_no_partition_is_there_for_may_be_sent_again() {
    let error = db::Error::NoPartition(sqlx::Error::RowNotFound);
    let response = finish(Problem::from(error).into_response(), "req_1");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "60");
    let problem = body(response).await;
    assert_eq!(problem["code"], "partition_missing");
    assert_eq!(problem["retry"], "same_key");
}

#[tokio::test]
async fn what_is_not_ready_says_why() {
    let not_ready = (
        StatusCode::SERVICE_UNAVAILABLE,
        Json(serde_json::json!({"ready": false})),
    );
    let response = finish(not_ready.into_response(), "req_1");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body(response).await["ready"], false);
}
