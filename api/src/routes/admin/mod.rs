//! `/admin`: what platform operators see and do.

mod archives;
mod audit_events;
mod authorization_policies;
mod billing_accounts;
mod billing_runs;
mod capacity;
mod credits;
mod data_growth;
mod dead_letters;
mod identities;
mod maintenances;
mod nodes;
mod operations;
mod partitions;
mod policies;
mod policy_changes;
mod prices;
mod quotas;
mod reconciliations;
mod rotations;
mod signing_keys;
mod why;
mod work;

use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    [
        nodes::endpoints(),
        capacity::endpoints(),
        operations::endpoints(),
        dead_letters::endpoints(),
        identities::endpoints(),
        policies::endpoints(),
        authorization_policies::endpoints(),
        policy_changes::endpoints(),
        quotas::endpoints(),
        prices::endpoints(),
        credits::endpoints(),
        billing_accounts::endpoints(),
        billing_runs::endpoints(),
        reconciliations::endpoints(),
        rotations::endpoints(),
        data_growth::endpoints(),
        partitions::endpoints(),
        maintenances::endpoints(),
        archives::endpoints(),
        audit_events::endpoints(),
        signing_keys::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
