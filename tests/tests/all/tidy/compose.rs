//! `berth up` and `docker-compose.temporal.yml` run the same thing: same roles, same queues, same
//! settings, same namespace and search attributes. What `berth up` runs is read off its child
//! processes, not off its source.

use std::collections::{BTreeMap, BTreeSet};

use nix::unistd::Pid;
use serde::Deserialize;

use super::read;

#[derive(Deserialize)]
struct Compose {
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    image: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    cap_drop: Vec<String>,
}

/// A role as one place runs it: names of its settings, and for workers the queues served.
#[derive(Debug, Default, PartialEq, Eq)]
struct Role {
    settings: BTreeSet<String>,
    queues: BTreeSet<String>,
}

/// Settings that only one side has, and why.
const ONLY_IN_COMPOSE: [&str; 1] = [
    // People read the local stack's log files, machines the containers'.
    "BERTH_LOG_FORMAT",
];
const ONLY_LOCAL: [&str; 0] = [];

fn compose() -> Compose {
    serde_saphyr::from_str(&read("docker-compose.temporal.yml")).unwrap()
}

fn known(name: &str) -> bool {
    platform::settings::KNOWN
        .iter()
        .any(|known| known.name == name)
}

/// Adds one process: `args` is what follows `berth` on the command line.
fn add<'a>(
    roles: &mut BTreeMap<String, Role>,
    args: &[String],
    settings: impl Iterator<Item = &'a String>,
) {
    let role = roles.entry(args[0].clone()).or_default();
    role.settings
        .extend(settings.filter(|name| known(name)).cloned());
    let after = args.iter().position(|arg| arg == "--queues");
    let queues = after
        .and_then(|at| args.get(at + 1))
        .map_or("", String::as_str);
    role.queues.extend(
        queues
            .split(',')
            .filter(|queue| !queue.is_empty())
            .map(str::to_owned),
    );
}

fn of_compose() -> BTreeMap<String, Role> {
    let mut roles = BTreeMap::new();
    for service in compose()
        .services
        .into_values()
        .filter(|service| service.image.starts_with("berth:"))
    {
        add(&mut roles, &service.command, service.environment.keys());
    }
    roles
}

fn of_the_local_stack(stack: &tests::Stack) -> BTreeMap<String, Role> {
    let split = |bytes: Vec<u8>| -> Vec<String> {
        bytes
            .split(|byte| *byte == 0)
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .filter(|part| !part.is_empty())
            .collect()
    };
    let mut roles = BTreeMap::new();
    for name in ["api", "worker", "relay"] {
        let pid: Pid = stack
            .pid(name)
            .unwrap_or_else(|| panic!("{name} does not run"));
        let command = split(std::fs::read(format!("/proc/{pid}/cmdline")).unwrap());
        let at = command
            .iter()
            .position(|arg| arg == name)
            .unwrap_or_else(|| panic!("{command:?}"));
        let environment = split(std::fs::read(format!("/proc/{pid}/environ")).unwrap());
        let names: Vec<String> = environment
            .iter()
            .filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()))
            .collect();
        add(&mut roles, &command[at..], names.iter());
    }
    roles
}

#[tokio::test(flavor = "multi_thread")]
async fn compose_matches_the_local_stack() {
    let mut compose = of_compose();
    let migrate = compose.remove("migrate").expect("a service migrates");
    assert!(migrate.settings.contains("BERTH_DATABASE_OWNER_URL"));
    let mut local = of_the_local_stack(tests::stack().await);

    for role in compose.values_mut() {
        role.settings
            .retain(|name| !ONLY_IN_COMPOSE.contains(&name.as_str()));
    }
    for role in local.values_mut() {
        role.settings.retain(|name| {
            !ONLY_IN_COMPOSE.contains(&name.as_str()) && !ONLY_LOCAL.contains(&name.as_str())
        });
    }
    assert_eq!(
        compose, local,
        "left: docker-compose.temporal.yml, right: berth up"
    );
}

#[test]
fn compose_gives_each_service_what_it_requires() {
    let compose = compose();
    for (name, service) in compose
        .services
        .iter()
        .filter(|(_, service)| service.image.starts_with("berth:"))
    {
        for setting in platform::settings::KNOWN
            .iter()
            .filter(|known| known.need == platform::settings::Need::Required)
        {
            assert!(
                service.environment.contains_key(setting.name),
                "{name} lacks {}",
                setting.name
            );
        }
        for setting in service.environment.keys() {
            assert!(known(setting), "{name}: no role understands {setting}");
        }
        assert!(
            service.read_only && service.cap_drop == ["ALL"],
            "{name} may do more than it needs"
        );
    }
    for (name, service) in &compose.services {
        for port in &service.ports {
            assert!(
                port.starts_with("127.0.0.1:"),
                "{name} is published to everybody: {port}"
            );
        }
    }
}

#[test]
fn compose_has_the_servers_namespace_and_attributes() {
    let services = compose().services;
    for server in ["postgres", "redis", "nats", "temporal", "temporal-ui"] {
        assert!(services.contains_key(server), "{server}");
    }
    assert!(services["nats"].command.contains(&"--jetstream".to_owned()));
    assert_eq!(
        services["temporal"].environment["DEFAULT_NAMESPACE"],
        "berth"
    );
    let attributes: BTreeSet<&str> =
        services["temporal-setup"].environment["BERTH_SEARCH_ATTRIBUTES"]
            .split(' ')
            .collect();
    assert_eq!(
        attributes,
        contract::attribute::ALL.iter().copied().collect()
    );
    let queues: BTreeSet<String> = of_compose().remove("worker").unwrap().queues;
    for queue in &queues {
        assert!(contract::queue::ALL.contains(&queue.as_str()), "{queue}");
    }
}
