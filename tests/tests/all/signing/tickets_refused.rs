//! Tickets that open nothing, and how they are counted.

use domain::signing_key::Purpose;
use domain::ticket::{Presented, Unsigned};
use metrics_exporter_prometheus::PrometheusBuilder;
use platform::tickets::{Reason, TicketError, Tickets};
use secrecy::ExposeSecret as _;
use tests::signer::Party;
use tests::{rough_stack, stack};

use super::tickets::{binding, is, key_of, presented, redis_of, sessions, take};

/// A ticket made by hand, signed by the key of a purpose.
async fn made(party: &Party, signed_by: Purpose, expires_at: u64) -> String {
    let key = party.signer.active(signed_by).await.expect("a key");
    let unsigned = Unsigned::new(&rand::random(), expires_at, key.kid());
    let signature = key.sign(&unsigned.input()).expect("a signature");
    unsigned.signed(&signature).expose_secret().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn trm_01_a_wrong_binding_burns_the_ticket() {
    let stack = stack().await;
    let (party, binding) = (Party::new(stack).await, binding(stack).await);
    let right = presented(&binding);
    let wrong = [
        Presented {
            origin: "https://evil.example",
            ..right
        },
        Presented {
            browser_session: Some("stolen"),
            ..right
        },
        Presented {
            allocation_id: db::id::fresh(),
            ..right
        },
    ];
    for wrong in wrong {
        let minted = party.tickets.mint(&binding).await.expect("a ticket");
        let ticket = minted.ticket.expose_secret();
        let refused = take(&party, ticket, &wrong).await;
        assert!(is(&refused, Reason::Binding), "{refused:?}");
        let burnt = take(&party, ticket, &right).await;
        assert!(is(&burnt, Reason::Replayed), "{burnt:?}");
    }
    assert_eq!(sessions(&party, &binding).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn trm_01_old_ones_are_refused_whatever_redis_says() {
    let stack = stack().await;
    let (party, binding) = (Party::new(stack).await, binding(stack).await);
    let old = made(&party, Purpose::TerminalSigner, 1_700_000_000).await;
    let refused = take(&party, &old, &presented(&binding)).await;
    assert!(is(&refused, Reason::Expired), "{refused:?}");
    let value = serde_json::to_string(&binding).expect("JSON");
    let mut redis = redis_of(stack).await;
    let _: () = redis::AsyncCommands::set(&mut redis, key_of(&old), value)
        .await
        .expect("set");
    let refused = take(&party, &old, &presented(&binding)).await;
    assert!(is(&refused, Reason::Expired), "{refused:?}");
    assert_eq!(sessions(&party, &binding).await, 0);
}

/// A forged one is told by its signature: Redis is not asked, as one that is not there shows.
#[tokio::test(flavor = "multi_thread")]
async fn trm_01_forged_ones_cost_no_look_up() {
    let stack = stack().await;
    let party = Party::new(stack).await;
    let binding = binding(stack).await;
    let nobody = Tickets::new(&"redis://127.0.0.1:1".into(), party.signer.clone());
    let party = Party {
        tickets: nobody.expect("an address"),
        ..party
    };
    let late = 4_000_000_000;
    let sound = made(&party, Purpose::TerminalSigner, late).await;
    let closed = take(&party, &sound, &presented(&binding)).await;
    assert!(
        matches!(closed, Err(TicketError::Unavailable(_))),
        "{closed:?}"
    );
    let foreign = made(&party, Purpose::JwtSigner, late).await;
    let unknown_key = Unsigned::new(
        &[1; 32],
        late,
        &domain::signing_key::PublicKey::from_bytes([3; 32]).kid(),
    );
    let later = sound.replace("4000000000", "4000000001");
    for forged in [
        foreign,
        unknown_key.signed(&[0; 64]).expose_secret().to_owned(),
        later,
        sound[..sound.len() - 1].to_owned(),
        "tt_".to_owned(),
        String::new(),
    ] {
        let refused = take(&party, &forged, &presented(&binding)).await;
        assert!(is(&refused, Reason::Forged), "{forged}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trm_04_without_redis_the_door_stays_closed() {
    let stack = rough_stack().await;
    let (party, binding) = (Party::new(&stack).await, binding(&stack).await);
    let minted = party.tickets.mint(&binding).await.expect("a ticket");
    let ticket = minted.ticket.expose_secret();
    stack.control("stop", "redis").await;
    let closed = take(&party, ticket, &presented(&binding)).await;
    assert!(
        matches!(closed, Err(TicketError::Unavailable(_))),
        "{closed:?}"
    );
    let unminted = party.tickets.mint(&binding).await;
    assert!(
        matches!(unminted, Err(TicketError::Unavailable(_))),
        "{unminted:?}"
    );
    assert_eq!(sessions(&party, &binding).await, 0);
    stack.control("start", "redis").await;
    // It heals by itself.
    let minted = tests::eventually("a new ticket", super::LIMIT, || async {
        party.tickets.mint(&binding).await.ok()
    });
    let minted = minted.await;
    let opened = take(&party, minted.ticket.expose_secret(), &presented(&binding)).await;
    opened.expect("it opens");
}

/// TRM-13: each end has its counter.
#[test]
fn trm_13_every_end_is_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let work = async {
        let stack = stack().await;
        let (party, binding) = (Party::new(stack).await, binding(stack).await);
        let right = presented(&binding);
        let wrong = Presented {
            origin: "",
            ..right
        };
        let mint = async || party.tickets.mint(&binding).await.expect("a ticket").ticket;
        let (one, other) = (mint().await, mint().await);
        let old = made(&party, Purpose::TerminalSigner, 1_700_000_000).await;
        let shown = [
            (one.expose_secret(), right),
            (one.expose_secret(), right),
            (one.expose_secret(), right),
            (other.expose_secret(), wrong),
            (&old, right),
            ("tt_", right),
        ];
        for (ticket, presented) in shown {
            drop(take(&party, ticket, &presented).await);
        }
    };
    metrics::with_local_recorder(&recorder, || runtime.expect("a runtime").block_on(work));
    let counted = recorder.handle().render();
    for line in [
        "terminal_token_consumed_total 1",
        "terminal_token_replay_rejected_total 2",
        "terminal_token_binding_mismatch_total 1",
        "terminal_token_expired_total 1",
        "terminal_token_forged_total 1",
    ] {
        assert!(
            counted.lines().any(|counted| counted == line),
            "no {line}: {counted}"
        );
    }
}
