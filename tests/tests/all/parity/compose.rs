//! `berth up` and `docker-compose.temporal.yml` run the same roles, with the same settings, on the
//! same queues. What `berth up` runs is read off its child processes, not off its source.

use std::collections::BTreeMap;

use crate::tidy::compose::{Role, add, of_compose};

/// Archives in a bucket are tested against a server of their own.
const BUCKET: &str = "locally a folder is the store";

/// Settings that one side has for itself: role, setting, why.
const ONLY_IN_COMPOSE: [(&str, &str, &str); 14] = [
    (
        "api",
        "BERTH_TRUSTED_PROXY_CIDRS",
        "a published API stands behind a proxy; locally nothing stands in front",
    ),
    ("api", "BERTH_API_REPLICAS", "locally there is one"),
    (
        "*",
        "BERTH_LOG_FORMAT",
        "machines read containers' logs, people the local stack's",
    ),
    (
        "api",
        "BERTH_INTERNAL_LISTEN",
        "the port that callers reach must not show /metrics; locally nobody else reaches it",
    ),
    ("api", "OIDC_ISSUER_URL", "no provider runs locally"),
    ("api", "OIDC_CLIENT_ID", "no provider runs locally"),
    ("api", "OIDC_CLIENT_SECRET", "no provider runs locally"),
    ("api", "BERTH_OIDC_AUDIENCE", "no provider runs locally"),
    ("api", "BERTH_OIDC_CLIENTS", "no provider runs locally"),
    ("worker", "BERTH_OBJECTS_BUCKET", BUCKET),
    ("worker", "BERTH_OBJECTS_ENDPOINT", BUCKET),
    ("worker", "BERTH_OBJECTS_REGION", BUCKET),
    ("worker", "BERTH_OBJECTS_ACCESS_KEY_ID", BUCKET),
    ("worker", "BERTH_OBJECTS_SECRET_ACCESS_KEY", BUCKET),
];
const ONLY_LOCAL: [(&str, &str, &str); 4] = [
    ("relay", "NODE_PROBE_ALLOWED_CIDRS", "not used by a relay"),
    ("relay", "BERTH_TEMPORAL_UI_URL", "not used by a relay"),
    ("worker", "BERTH_TEMPORAL_UI_URL", "not used by a worker"),
    (
        "*",
        "BERTH_LOG",
        "the filter is whoever looks for a fault's own",
    ),
];

fn of_the_local_stack(stack: &tests::Stack) -> BTreeMap<String, Role> {
    let mut roles = BTreeMap::new();
    for name in ["api", "worker", "relay"] {
        let pid = stack
            .pid(name)
            .unwrap_or_else(|| panic!("{name} does not run"));
        let command = parts(&format!("/proc/{pid}/cmdline"));
        let at = command
            .iter()
            .position(|arg| arg == name)
            .unwrap_or_else(|| panic!("{command:?}"));
        let environment = parts(&format!("/proc/{pid}/environ"));
        let names: Vec<String> = environment
            .iter()
            .filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()))
            .collect();
        add(&mut roles, &command[at..], names.iter());
    }
    roles
}

/// What the kernel lists with a NUL after each entry.
fn parts(file: &str) -> Vec<String> {
    let bytes = std::fs::read(file).unwrap_or_else(|e| panic!("{file}: {e}"));
    bytes
        .split(|byte| *byte == 0)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

fn without(
    mut roles: BTreeMap<String, Role>,
    own: &[(&str, &str, &str)],
) -> BTreeMap<String, Role> {
    for (name, role) in &mut roles {
        role.settings.retain(|setting| {
            !own.iter()
                .any(|(of, what, _)| (*of == "*" || of == name) && what == setting)
        });
    }
    roles
}

#[tokio::test(flavor = "multi_thread")]
async fn compose_matches_the_local_stack() {
    let mut compose = of_compose();
    let migrate = compose.remove("migrate").expect("a service migrates");
    assert!(migrate.settings.contains("BERTH_DATABASE_OWNER_URL"));
    let local = of_the_local_stack(tests::stack().await);
    assert_eq!(
        without(compose, &ONLY_IN_COMPOSE),
        without(local, &ONLY_LOCAL),
        "left: docker-compose.temporal.yml, right: berth up"
    );
}
