//! JWT-04, JWT-05: how an issuer's keys are kept, against a server that counts.

use std::sync::Arc;
use std::time::Duration;

use domain::jwt::{Algorithm, Reject, Rules, TokenType};
use futures::future::join_all;
use platform::oidc::{Issuer, Pace};
use tests::key_server::AUDIENCE;
use tests::{KeyServer, eventually};
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

use super::LIMIT;

/// Fetches until it is dropped.
struct Kept {
    issuer: Arc<Issuer>,
    _end: DropGuard,
}

impl Kept {
    fn start(server: &KeyServer, pace: Pace) -> Self {
        let rules = Rules {
            issuer: server.issuer.clone(),
            audience: AUDIENCE.to_owned(),
            token_type: TokenType::Access,
            algorithms: vec![Algorithm::ES256],
            clients: Vec::new(),
        };
        let end = CancellationToken::new();
        let issuer = Issuer::start(rules, pace, &end).expect("an issuer");
        Self {
            issuer: Arc::new(issuer),
            _end: end.drop_guard(),
        }
    }

    async fn read(&self, token: &str) -> Result<String, Reject> {
        self.issuer.read(token).await.map(|signed| signed.key_id)
    }

    /// Waits until a token is answered in this way.
    async fn answers(&self, token: &str, wanted: Result<&str, Reject>) {
        let wanted = wanted.map(str::to_owned);
        eventually(&format!("{wanted:?}"), LIMIT, || async {
            (self.read(token).await == wanted).then_some(())
        })
        .await;
    }
}

/// A tenth of a second where the standard says a minute or so.
const BRISK: Pace = Pace {
    floor: Duration::from_millis(300),
    ttl_min: Duration::from_millis(200),
    ttl_max: Duration::from_millis(400),
    ttl: Duration::from_millis(300),
    stale: Duration::from_millis(500),
    retry: Duration::from_millis(50),
};

#[tokio::test(flavor = "multi_thread")]
async fn jwt_04_many_callers_wait_for_one_fetch() {
    let server = KeyServer::start().await;
    let kept = Kept::start(&server, Pace::STANDARD);
    let token = server.token("first", "ada");
    let answers = join_all((0..200).map(|_| kept.read(&token))).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_deref() == Ok("first")),
        "{answers:?}"
    );
    assert_eq!(server.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn jwt_04_a_fetch_replaces_and_never_merges() {
    let server = KeyServer::start().await;
    let kept = Kept::start(&server, BRISK);
    let first = server.token("first", "ada");
    kept.answers(&first, Ok("first")).await;
    // Nobody asks for it by an unknown key: the keys' own time runs out.
    server.remove("first");
    server.publish("second");
    kept.answers(&first, Err(Reject::UnknownKey)).await;
    assert_eq!(
        kept.read(&server.token("second", "ada")).await.as_deref(),
        Ok("second")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn jwt_04_stale_keys_are_trusted_for_a_while_and_then_no_more() {
    let server = KeyServer::start().await;
    let patient = Pace {
        stale: Duration::from_hours(1),
        ..BRISK
    };
    let (hasty, patient) = (Kept::start(&server, BRISK), Kept::start(&server, patient));
    let token = server.token("first", "ada");
    hasty.answers(&token, Ok("first")).await;
    patient.answers(&token, Ok("first")).await;
    for spoiled in [(500, ""), (200, "{}"), (302, "")] {
        server.answer_instead(Some(spoiled));
        hasty.answers(&token, Err(Reject::KeysUnavailable)).await;
        assert_eq!(patient.read(&token).await.as_deref(), Ok("first"));
        server.answer_instead(None);
        hasty.answers(&token, Ok("first")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jwt_04_a_purge_trusts_nothing_until_the_issuer_answers() {
    let server = KeyServer::start().await;
    let kept = Kept::start(
        &server,
        Pace {
            floor: Duration::from_hours(1),
            ..Pace::STANDARD
        },
    );
    let token = server.token("first", "ada");
    kept.answers(&token, Ok("first")).await;
    server.answer_instead(Some((503, "")));
    assert!(kept.issuer.refresh(false).await.is_none());
    assert_eq!(
        kept.read(&token).await.as_deref(),
        Ok("first"),
        "stale is better than nothing"
    );
    assert!(kept.issuer.refresh(true).await.is_none());
    assert_eq!(kept.read(&token).await, Err(Reject::KeysUnavailable));
    server.answer_instead(None);
    server.publish("second");
    server.remove("first");
    let changes = kept.issuer.refresh(false).await.expect("it answers");
    assert_eq!(
        (changes.kids_added.len(), changes.kids_removed.len()),
        (1, 0)
    );
    assert_eq!(kept.read(&token).await, Err(Reject::UnknownKey));
}

#[tokio::test(flavor = "multi_thread")]
async fn jwt_05_a_flood_of_unknown_keys_costs_one_fetch() {
    let server = KeyServer::start().await;
    let kept = Kept::start(
        &server,
        Pace {
            floor: Duration::from_mins(10),
            ..Pace::STANDARD
        },
    );
    let good = server.token("first", "ada");
    kept.answers(&good, Ok("first")).await;
    let before = server.asked();
    server.publish("flood");
    server.remove("flood");
    let template = server.token("flood", "ada");
    let (_, rest) = template.split_once('.').expect("three parts");
    let flood = (0..10_000).map(|n| {
        use base64::Engine as _;
        let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"kid-{n}"}}"#);
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
        format!("{header}.{rest}")
    });
    let flood: Vec<String> = flood.collect();
    for batch in flood.chunks(500) {
        let answers = join_all(batch.iter().map(|token| kept.read(token))).await;
        assert!(
            answers
                .iter()
                .all(|answer| *answer == Err(Reject::UnknownKey))
        );
        assert_eq!(kept.read(&good).await.as_deref(), Ok("first"));
    }
    assert_eq!(
        server.asked(),
        before,
        "the floor had not passed since the first fetch"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn jwt_05_a_new_key_is_found_when_the_floor_has_passed() {
    let server = KeyServer::start().await;
    let slow = Pace {
        floor: BRISK.floor,
        retry: BRISK.retry,
        ..Pace::STANDARD
    };
    let kept = Kept::start(&server, slow);
    kept.answers(&server.token("first", "ada"), Ok("first"))
        .await;
    server.publish("second");
    kept.answers(&server.token("second", "ada"), Ok("second"))
        .await;
    assert_eq!(
        server.asked(),
        2,
        "one fetch at the start, one for the new key"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ssrf_04_an_answer_that_is_too_large_is_none() {
    let server = KeyServer::start().await;
    let large = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(65 << 10));
    server.answer_instead(Some((200, &large)));
    let kept = Kept::start(&server, BRISK);
    let token = server.token("first", "ada");
    assert_eq!(kept.read(&token).await, Err(Reject::KeysUnavailable));
    server.answer_instead(None);
    kept.answers(&token, Ok("first")).await;
}
