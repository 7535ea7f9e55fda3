//! Single-use tickets: TRM-02 at its full size, and what one costs against a bare GETDEL.

use std::sync::Arc;
use std::time::Instant;

use domain::ticket::{Binding, Presented, TicketPurpose};
use futures::future::join_all;
use platform::tickets::{Reason, TicketError};
use redis::AsyncCommands as _;
use secrecy::ExposeSecret as _;
use tests::signer::Party;
use tests::{Stack, Tenant};

use crate::percentile;

const PROCESSES: usize = 3;
const ROUNDS: usize = 100;
const AT_ONCE: usize = 1_000;
const SAMPLES: usize = 500;

pub(crate) async fn run(stack: &Stack, tenant: &Tenant) -> Vec<String> {
    let operation = tenant.create_allocation(stack, 1).await.expect(202);
    let id = operation["resource"]["id"].as_str().expect("an id");
    let binding = Binding {
        user_id: tenant.user_id.parse().expect("an id"),
        org_id: tenant.org_id.parse().expect("an id"),
        allocation_id: id.parse().expect("an id"),
        origin: "https://console.example".to_owned(),
        browser_session: None,
        purpose: TicketPurpose::Terminal,
    };
    let path = format!("/api/v1/allocations/{id}");
    tenant.api.delete(&path).await.expect(202);
    let binding = Arc::new(binding);
    let parties: Arc<[Party]> = join_all((0..PROCESSES).map(|_| Party::new(stack)))
        .await
        .into();
    race(&parties, &binding).await;
    cost(stack, &parties[0], &binding).await
}

async fn take(party: &Party, ticket: &str, binding: &Binding) -> Result<(), TicketError> {
    let presented = Presented {
        allocation_id: binding.allocation_id,
        origin: &binding.origin,
        browser_session: None,
        purpose: binding.purpose,
    };
    let record = async |hash: &[u8; 32], binding: &Binding| {
        let mut tx = db::scope::organization(&party.pool, binding.org_id).await?;
        let session = db::terminal_session::insert(&mut tx, hash, binding).await?;
        tx.commit().await.map_err(db::Error::from)?;
        Ok::<_, db::Error>(session)
    };
    let taken = party.tickets.take(ticket, &presented, record).await;
    taken.map(drop)
}

async fn race(parties: &Arc<[Party]>, binding: &Arc<Binding>) {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        let minted = parties[0].tickets.mint(binding).await.expect("a ticket");
        let tasks = (0..AT_ONCE).map(|number| {
            let (parties, binding) = (parties.clone(), binding.clone());
            let ticket = minted.ticket.clone();
            tokio::spawn(async move {
                let party = &parties[number % PROCESSES];
                take(party, ticket.expose_secret(), &binding).await
            })
        });
        let results = join_all(tasks).await;
        let count = |wanted: fn(&Result<(), TicketError>) -> bool| {
            let results = results.iter().map(|done| done.as_ref().expect("no panic"));
            results.filter(|result| wanted(result)).count()
        };
        let replayed = |result: &Result<(), TicketError>| {
            matches!(result, Err(TicketError::Refused(Reason::Replayed)))
        };
        assert_eq!((count(Result::is_ok), count(replayed)), (1, AT_ONCE - 1));
    }
    println!(
        "tickets: {ROUNDS} rounds of {AT_ONCE} at once from {PROCESSES} sets of connections: \
         one opened in each, {:.0} shown a second",
        (ROUNDS * AT_ONCE) as f64 / start.elapsed().as_secs_f64()
    );
}

async fn cost(stack: &Stack, party: &Party, binding: &Binding) -> Vec<String> {
    let client = redis::Client::open(stack.env("REDIS_URL")).expect("an address");
    let mut bare = client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers");
    let (mut mints, mut takes, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        let minted = timed(&mut mints, party.tickets.mint(binding)).await;
        let minted = minted.expect("a ticket");
        let consumed = timed(
            &mut takes,
            take(party, minted.ticket.expose_secret(), binding),
        )
        .await;
        consumed.expect("it opens");
        let _: () = bare.pset_ex("bench", "x", 60_000).await.expect("set");
        let got: Option<String> = timed(&mut floors, bare.get_del("bench"))
            .await
            .expect("got");
        assert!(got.is_some());
    }
    for (name, values) in [
        ("mint", &mut mints),
        ("take", &mut takes),
        ("bare GETDEL", &mut floors),
    ] {
        values.sort_by(f64::total_cmp);
        println!(
            "{name:<28} p50 {:7.2} ms   p99 {:7.2} ms",
            percentile(values, 50),
            percentile(values, 99)
        );
    }
    vec![format!(
        "tickets: take / bare GETDEL, p50: {:.1}",
        percentile(&takes, 50) / percentile(&floors, 50)
    )]
}

/// Keeps how long it took, in milliseconds.
async fn timed<T>(into: &mut Vec<f64>, work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let done = work.await;
    into.push(start.elapsed().as_secs_f64() * 1000.0);
    done
}
