//! What `docker-compose.temporal.yml` runs. That it is the same as what `berth up` runs is
//! `crate::parity`, which needs a stack to look at.

use std::collections::{BTreeMap, BTreeSet};

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
pub(crate) struct Role {
    pub(crate) settings: BTreeSet<String>,
    pub(crate) queues: BTreeSet<String>,
}

fn compose() -> Compose {
    serde_saphyr::from_str(&read("docker-compose.temporal.yml")).unwrap()
}

fn known(name: &str) -> bool {
    platform::settings::KNOWN
        .iter()
        .any(|known| known.name == name)
}

/// Adds one process: `args` is what follows `berth` on the command line.
pub(crate) fn add<'a>(
    roles: &mut BTreeMap<String, Role>,
    args: &[String],
    settings: impl Iterator<Item = &'a String>,
) {
    let role = roles.entry(args[0].clone()).or_default();
    role.settings
        .extend(settings.filter(|name| known(name)).cloned());
    if args[0] == "worker" {
        let after = args.iter().position(|arg| arg == "--queues");
        let named = after.and_then(|at| args.get(at + 1));
        let queues = named.map_or(worker::QUEUES.join(","), Clone::clone);
        role.queues.extend(queues.split(',').map(str::to_owned));
    }
}

/// The roles that the Compose file starts.
pub(crate) fn of_compose() -> BTreeMap<String, Role> {
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
    let served = of_compose().remove("worker").unwrap().queues;
    let queues: BTreeSet<String> = worker::QUEUES
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(
        served, queues,
        "left: docker-compose.temporal.yml, right: queues with work"
    );
}
