//! One decision with 10,000 rules of tenants loaded against one with the built-in rules alone, and
//! the time from an operator's write to its enforcement on other replicas.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::authentication::Principal;
use api::policy::{
    Book, MOST_FOR_PLATFORM, MOST_PER_ORGANIZATION, PolicyClient, Question, Rule, Rules, Snapshot,
    Thing, Values, Who,
};
use domain::id::{OrgId, ProjectId};
use domain::role::{ProjectRole, Role};
use rand::RngExt as _;
use serde_json::json;
use tests::{Replica, Stack, Tenant};

const RULES: usize = 10_000;
const ASKED: usize = 20_000;
const CHANGES: usize = 40;
const ACTIONS: &[&str] = &[
    "allocation.create",
    "allocation.release",
    "allocation.extend",
    "project.update",
];

pub(crate) async fn run(stack: &Stack, tenant: &Tenant) -> Vec<String> {
    let book = Arc::new(Book::open().expect("the files are sound"));
    let orgs: Vec<OrgId> = (0..RULES / MOST_PER_ORGANIZATION)
        .map(|_| db::id::fresh())
        .collect();
    let bare = client(Rules::built_in(&book));
    let start = Instant::now();
    let personal = client(Rules::of(&book, rules(&book, &orgs, person)));
    let loaded = start.elapsed();
    println!(
        "policy: {RULES} rules of {} organizations, {MOST_FOR_PLATFORM} of the platform",
        orgs.len()
    );
    println!(
        "read and checked in           {:9.0} ms",
        loaded.as_secs_f64() * 1e3
    );
    let floor = decide("built-in rules alone", &bare, &orgs);
    decide("with all, each about one", &personal, &orgs);
    drop(personal);
    let general = client(Rules::of(&book, rules(&book, &orgs, everybody)));
    let ours = decide("with all, each about many", &general, &orgs);
    let spread = enforce(stack, tenant).await;
    vec![
        format!(
            "policy: decision with {RULES} rules / with none: p50 {:.2}, p99 {:.2}",
            ours.0 / floor.0,
            ours.1 / floor.1
        ),
        format!(
            "policy: p99 of a decision {:.0} us (POL-07: 100); p99 of enforcement on other replicas {:.0} ms (POL-03: 500)",
            ours.1, spread
        ),
    ]
}

fn client(rules: Rules) -> Arc<dyn PolicyClient> {
    Arc::new(Snapshot::new(1, rules, Values::default()))
}

/// A rule about somebody who does not ask.
fn person(n: usize) -> String {
    format!("principal == Berth::User::\"user_{n}\"")
}

/// A rule about everybody with a role that nobody who asks has: it has to be looked at.
fn everybody(_: usize) -> String {
    "principal in Berth::Role::\"owner\"".to_owned()
}

/// As many for each organization as there may be, for all actions of a kind.
fn rules(book: &Book, orgs: &[OrgId], callers: fn(usize) -> String) -> Vec<Arc<Rule>> {
    let compile = |id: String, org, text: String| {
        Arc::new(Rule::compile(book, &id, 1, org, &text).expect("a sound rule"))
    };
    let platform = (0..MOST_FOR_PLATFORM).map(|n| {
        let who = callers(n);
        let text = format!("forbid ({who}, action in Berth::Action::\"change\", resource);");
        compile(format!("apol_p{n}"), None, text)
    });
    let tenants = orgs
        .iter()
        .enumerate()
        .flat_map(|(at, org)| (0..MOST_PER_ORGANIZATION).map(move |n| (at, *org, n)));
    let tenants = tenants.map(|(at, org, n)| {
        let text = format!(
            "forbid ({}, action in Berth::Action::\"change\", resource in Berth::Organization::\"{org}\");",
            callers(n)
        );
        compile(format!("apol_{at}_{n}"), Some(org), text)
    });
    platform.chain(tenants).collect()
}

/// p50 and p99 of one decision in microseconds. Each organization and action is asked once before:
/// a slice is made when it is first needed, and then kept.
fn decide(name: &str, policy: &Arc<dyn PolicyClient>, orgs: &[OrgId]) -> (f64, f64) {
    let callers: Vec<(Principal, ProjectId)> = orgs.iter().map(|org| caller(*org)).collect();
    let mut cold = Vec::new();
    for (principal, project) in &callers {
        for action in ACTIONS {
            cold.push(once(policy, principal, *project, action));
        }
    }
    let mut random = rand::rng();
    let mut taken: Vec<f64> = (0..ASKED)
        .map(|_| {
            let (principal, project) = &callers[random.random_range(0..callers.len())];
            once(
                policy,
                principal,
                *project,
                ACTIONS[random.random_range(0..ACTIONS.len())],
            )
        })
        .collect();
    cold.sort_unstable_by(f64::total_cmp);
    taken.sort_unstable_by(f64::total_cmp);
    let (p50, p99) = (super::percentile(&taken, 50), super::percentile(&taken, 99));
    println!(
        "{name:<28} p50 {p50:7.1} us  p99 {p99:7.1} us  first of its kind p99 {:7.1} us",
        super::percentile(&cold, 99)
    );
    (p50, p99)
}

fn caller(org: OrgId) -> (Principal, ProjectId) {
    let project: ProjectId = db::id::fresh();
    let principal = Principal {
        user_id: db::id::fresh(),
        org_id: org,
        credential: api::authentication::Credential::ApiKey(db::id::fresh()),
        role: Role::Viewer,
        project_roles: BTreeMap::from([(project, ProjectRole::Admin)]),
        platform_role: None,
        scopes: domain::api_key::Scope::all(),
    };
    (principal, project)
}

fn once(
    policy: &Arc<dyn PolicyClient>,
    principal: &Principal,
    project: ProjectId,
    action: &str,
) -> f64 {
    let question = Question {
        who: Who::Person(principal),
        action,
        thing: Thing::Project(principal.org_id, project),
    };
    let start = Instant::now();
    let decision = policy.decide(&question);
    let taken = start.elapsed();
    assert!(decision.allowed, "{decision:?}");
    taken.as_secs_f64() * 1e6
}

/// p99 in milliseconds from the answer to a write until each of two other replicas refuses.
async fn enforce(stack: &Stack, tenant: &Tenant) -> f64 {
    let replicas = [
        Replica::start(stack, &[]).await,
        Replica::start(stack, &[]).await,
    ];
    let (admin, database) = (stack.admin(), stack.database().await);
    let path = "/api/v1/admin/policies/ssh.certificate_ttl_max_seconds";
    let mut taken = Vec::new();
    for n in 0..CHANGES {
        let value = 60 + n;
        let body = json!({"value": value, "scope": tenant.project_id});
        admin.put(path, &body).await.expect(200);
        let start = Instant::now();
        let mut conn = database.acquire().await.expect("a connection");
        let version = db::policy::version(&mut conn).await.expect("the version");
        for replica in &replicas {
            while in_force(replica).await < version {
                tokio::time::sleep(Duration::from_millis(1)).await;
                assert!(
                    start.elapsed() < Duration::from_secs(10),
                    "a replica does not follow"
                );
            }
        }
        taken.push(start.elapsed().as_secs_f64() * 1e3);
    }
    taken.sort_unstable_by(f64::total_cmp);
    println!(
        "enforced on two more replicas p50 {:6.1} ms  p99 {:6.1} ms ({CHANGES} changes, one after the other)",
        super::percentile(&taken, 50),
        super::percentile(&taken, 99),
    );
    super::percentile(&taken, 99)
}

async fn in_force(replica: &Replica) -> i64 {
    let metrics = replica.api(None).get("/metrics").await.text;
    metrics
        .lines()
        .find_map(|line| line.strip_prefix("policy_version ")?.parse().ok())
        .unwrap_or(0)
}
