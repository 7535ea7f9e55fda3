//! Single-use tickets, on the stack's own Redis and Postgres.

use std::sync::Arc;

use domain::id::TerminalSessionId;
use domain::ticket::{Binding, LIFETIME_SECONDS, Presented, Ticket, TicketPurpose};
use futures::future::join_all;
use platform::tickets::{Reason, TicketError, redis_key};
use redis::AsyncCommands as _;
use secrecy::ExposeSecret as _;
use tests::signer::Party;
use tests::{Stack, Tenant, stack};

pub(super) const ORIGIN: &str = "https://console.example";

/// Somebody's right to one terminal.
pub(super) async fn binding(stack: &Stack) -> Binding {
    let tenant = Tenant::new(stack).await;
    let operation = tenant.create_allocation(stack, 1).await.expect(202);
    let id = operation["resource"]["id"].as_str().expect("an id");
    // Its row is all that is needed.
    tenant
        .api
        .delete(&format!("/api/v1/allocations/{id}"))
        .await
        .expect(202);
    Binding {
        user_id: tenant.user_id.parse().expect("an id"),
        org_id: tenant.org_id.parse().expect("an id"),
        allocation_id: id.parse().expect("an id"),
        origin: ORIGIN.to_owned(),
        browser_session: None,
        purpose: TicketPurpose::Terminal,
    }
}

pub(super) fn presented(binding: &Binding) -> Presented<'_> {
    Presented {
        allocation_id: binding.allocation_id,
        origin: &binding.origin,
        browser_session: binding.browser_session.as_deref(),
        purpose: binding.purpose,
    }
}

/// What a gateway does with a ticket that it is shown.
pub(super) async fn take(
    party: &Party,
    ticket: &str,
    presented: &Presented<'_>,
) -> Result<TerminalSessionId, TicketError> {
    let record = async |hash: &[u8; 32], binding: &Binding| {
        let mut tx = db::scope::organization(&party.pool, binding.org_id).await?;
        let session = db::terminal_session::insert(&mut tx, hash, binding).await?;
        tx.commit().await.map_err(db::Error::from)?;
        Ok::<_, db::Error>(session)
    };
    let taken = party.tickets.take(ticket, presented, record).await;
    taken.map(|(_, session)| session)
}

pub(super) async fn redis_of(stack: &Stack) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(stack.env("REDIS_URL")).expect("an address");
    client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers")
}

pub(super) fn key_of(ticket: &str) -> String {
    redis_key(&Ticket::parse(ticket).expect("a ticket").sha256())
}

pub(super) async fn sessions(party: &Party, binding: &Binding) -> i64 {
    let mut tx = db::scope::organization(&party.pool, binding.org_id)
        .await
        .expect("a scope");
    sqlx::query_scalar("select count(*) from terminal_sessions")
        .fetch_one(&mut *tx)
        .await
        .expect("a number")
}

pub(super) fn is(result: &Result<TerminalSessionId, TicketError>, reason: Reason) -> bool {
    matches!(result, Err(TicketError::Refused(why)) if *why == reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn trm_01_only_a_hash_is_kept_and_it_binds() {
    let stack = stack().await;
    let (party, binding) = (Party::new(stack).await, binding(stack).await);
    let minted = party.tickets.mint(&binding).await.expect("a ticket");
    let ticket = minted.ticket.expose_secret();
    let mut redis = redis_of(stack).await;
    let key = key_of(ticket);
    assert!(key.starts_with("tt:") && key.len() == 3 + 64, "{key}");
    let left: i64 = redis.pttl(&key).await.expect("it is there");
    let whole = i64::try_from(LIFETIME_SECONDS).expect("a minute") * 1000;
    assert!((1..=whole).contains(&left), "{left}");
    let kept: String = redis.get(&key).await.expect("it is there");
    let kept: Binding = serde_json::from_str(&kept).expect("a binding");
    assert_eq!(kept, binding);
    // Neither the ticket nor its random part is anywhere in Redis.
    let secret = ticket
        .split('.')
        .next()
        .expect("a part")
        .trim_start_matches("tt_");
    let keys: Vec<String> = redis.keys("*").await.expect("keys");
    assert!(keys.iter().all(|key| !key.contains(secret)), "{keys:?}");
    assert!(!format!("{minted:?}").contains(secret));

    let other = party.tickets.mint(&binding).await.expect("another");
    assert_ne!(other.ticket.expose_secret(), ticket);
    take(&party, ticket, &presented(&binding))
        .await
        .expect("it opens");
    assert_eq!(sessions(&party, &binding).await, 1);
    let left: bool = redis.exists(&key).await.expect("an answer");
    assert!(!left, "taken is gone");
}

/// The whole race is `make bench NAME=tickets`: 1,000 at once, 100 rounds.
#[tokio::test(flavor = "multi_thread")]
async fn trm_02_of_many_at_once_one_opens() {
    const ROUNDS: usize = 5;
    const EACH: usize = 100;
    let stack = stack().await;
    let parties = join_all((0..3).map(|_| Party::new(stack))).await;
    let parties: Arc<[Party]> = parties.into();
    let binding = Arc::new(binding(stack).await);
    for round in 1..=ROUNDS {
        let minted = parties[round % 3]
            .tickets
            .mint(&binding)
            .await
            .expect("a ticket");
        let tasks = (0..3 * EACH).map(|number| {
            let (parties, binding) = (parties.clone(), binding.clone());
            let ticket = minted.ticket.clone();
            tokio::spawn(async move {
                let shown = presented(&binding);
                take(&parties[number % 3], ticket.expose_secret(), &shown).await
            })
        });
        let results = join_all(tasks).await;
        let (opened, refused): (Vec<_>, Vec<_>) = results
            .into_iter()
            .map(|done| done.expect("no panic"))
            .partition(Result::is_ok);
        assert_eq!(opened.len(), 1);
        let odd = refused.iter().find(|result| !is(result, Reason::Replayed));
        assert!(odd.is_none(), "{odd:?}");
        let sessions = sessions(&parties[0], &binding).await;
        assert_eq!(sessions, i64::try_from(round).expect("few"));
    }
}

/// TRM-04: a failover of Redis may bring back what was taken. The row does not forget.
#[tokio::test(flavor = "multi_thread")]
async fn trm_04_a_key_put_back_opens_nothing() {
    let stack = stack().await;
    let parties = [Party::new(stack).await, Party::new(stack).await];
    let binding = binding(stack).await;
    let minted = parties[0].tickets.mint(&binding).await.expect("a ticket");
    let ticket = minted.ticket.expose_secret();
    let mut redis = redis_of(stack).await;
    let value: String = redis.get(key_of(ticket)).await.expect("it is there");
    take(&parties[0], ticket, &presented(&binding))
        .await
        .expect("it opens");
    for party in &parties {
        let _: () = redis
            .pset_ex(key_of(ticket), &value, 60_000)
            .await
            .expect("put back");
        let again = take(party, ticket, &presented(&binding)).await;
        assert!(is(&again, Reason::Replayed), "{again:?}");
    }
    assert_eq!(sessions(&parties[0], &binding).await, 1);
}

/// Ten processes find the key put back at the same moment: the row decides alone.
#[tokio::test(flavor = "multi_thread")]
async fn trm_04_the_row_alone_lets_one_through() {
    let stack = stack().await;
    let parties = join_all((0..3).map(|_| Party::new(stack))).await;
    let binding = binding(stack).await;
    let inserts = (0..60).map(|number| {
        let (party, binding) = (&parties[number % 3], &binding);
        async move {
            let mut tx = db::scope::organization(&party.pool, binding.org_id).await?;
            let session = db::terminal_session::insert(&mut tx, &[9; 32], binding).await?;
            tx.commit().await.map_err(db::Error::from)?;
            Ok::<_, db::Error>(session)
        }
    });
    let results = join_all(inserts).await;
    let opened = results
        .iter()
        .filter(|result| matches!(result, Ok(Some(_))))
        .count();
    assert_eq!(opened, 1, "{results:?}");
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}
