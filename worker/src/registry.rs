//! Which queue runs what.

use std::sync::Arc;
use std::time::Duration;

use activities::access::Access;
use activities::allocation::Allocations;
use activities::audit_chain::AuditChain;
use activities::balance::Balances;
use activities::billing::Bills;
use activities::capacity::Capacity;
use activities::enrollment::Enrollment;
use activities::health::HealthLooks;
use activities::machine::Machines;
use activities::metering::Meters;
use activities::node::Verification;
use activities::partition::Partitions;
use activities::reconciliation::Reconciliations;
use activities::retention::Retention as RetentionSteps;
use activities::rotation::Rotations;
use activities::sweep::Sweeps;
use contract::queue;
use db::PgPool;
use platform::objects::Objects;
use platform::temporal::Runs;
use temporalio_client::Client;
use temporalio_sdk::runtime::PollerBehavior;
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::{WorkerOptions, WorkflowRegistrationError};
use workflows::{
    Allocation, AuditSealing, BalanceGuard, BillingRun, KeyRotation, MeteringWindow,
    NodeEnrollment, NodeHealthSweep, PartitionMaintenance, Reconciliation, Retention, Sweep,
};

/// Queues that there is work for so far.
pub const QUEUES: &[&str] = &[
    queue::PROVISIONING,
    queue::NODE_IO,
    queue::BILLING,
    queue::SECURITY,
    queue::MAINTENANCE,
];

/// Steps of one kind at once in one process.
const SLOTS: usize = 100;
/// Long polls of one kind at once; a poll that waits costs next to nothing.
const POLLERS: usize = 4;
/// Workflows kept in memory between their tasks.
const CACHED_WORKFLOWS: usize = 1_000;
/// How long the cache of a worker that died keeps its workflows from the others.
const STICKY_TIMEOUT: Duration = Duration::from_secs(5);
/// A cancelled step hears of it with its next heartbeat, at most this much later.
const HEARTBEAT_THROTTLE: Duration = Duration::from_secs(1);
/// How long steps may go on after a stop was asked for; what is not done by then is done again.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// What the steps need of the world.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    /// Of the role that owns the tables.
    pub(crate) owner: PgPool,
    pub(crate) objects: Objects,
    pub(crate) machines: Arc<Machines>,
    pub(crate) client: Client,
}

/// A worker of one queue. `None`: there is no such queue, or no work for it yet.
pub(crate) fn options(
    name: &str,
    world: &World,
) -> Result<Option<WorkerOptions>, WorkflowRegistrationError> {
    let pool = || world.pool.clone();
    let mut options = WorkerOptions::new(name)
        .max_cached_workflows(CACHED_WORKFLOWS)
        .sticky_queue_schedule_to_start_timeout(STICKY_TIMEOUT)
        .max_heartbeat_throttle_interval(HEARTBEAT_THROTTLE)
        .default_heartbeat_throttle_interval(HEARTBEAT_THROTTLE)
        .workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(POLLERS))
        .activity_task_poller_behavior(PollerBehavior::SimpleMaximum(POLLERS))
        .tuner(slots())
        .graceful_shutdown_period(GRACE)
        .build();
    match name {
        queue::PROVISIONING => {
            options
                .register_workflow::<Allocation>()?
                .register_workflow::<NodeEnrollment>()?
                .register_activities(Allocations { pool: pool() })
                .register_activities(Capacity { pool: pool() })
                .register_activities(Enrollment { pool: pool() });
        }
        queue::NODE_IO => {
            let machines = || world.machines.clone();
            options
                .register_activities(Access {
                    machines: machines(),
                })
                .register_activities(Verification {
                    machines: machines(),
                })
                .register_activities(HealthLooks {
                    machines: machines(),
                });
        }
        queue::BILLING => {
            options
                .register_workflow::<MeteringWindow>()?
                .register_workflow::<BillingRun>()?
                .register_workflow::<BalanceGuard>()?
                .register_workflow::<Reconciliation>()?
                .register_activities(Meters { pool: pool() })
                .register_activities(Balances { pool: pool() })
                .register_activities(Reconciliations { pool: pool() })
                .register_activities(Bills { pool: pool() });
        }
        queue::SECURITY => {
            options
                .register_workflow::<KeyRotation>()?
                .register_activities(Rotations {
                    pool: pool(),
                    signer: world.machines.signer.clone(),
                });
        }
        queue::MAINTENANCE => {
            options
                .register_workflow::<Sweep>()?
                .register_workflow::<NodeHealthSweep>()?
                .register_workflow::<PartitionMaintenance>()?
                .register_workflow::<AuditSealing>()?
                .register_workflow::<Retention>()?
                .register_activities(RetentionSteps { pool: pool() })
                .register_activities(AuditChain {
                    pool: pool(),
                    objects: world.objects.clone(),
                    signer: world.machines.signer.clone(),
                })
                .register_activities(Partitions {
                    pool: pool(),
                    owner: world.owner.clone(),
                    objects: world.objects.clone(),
                    signer: world.machines.signer.clone(),
                })
                .register_activities(Sweeps {
                    pool: pool(),
                    runs: Runs::new(world.client.clone()),
                });
        }
        _ => return Ok(None),
    }
    Ok(Some(options))
}

fn slots() -> TunerHolder {
    TunerHolder::builder()
        .workflow_task_slot_supplier(FixedSizeSlotSupplier::new(SLOTS))
        .activity_task_slot_supplier(FixedSizeSlotSupplier::new(SLOTS))
        .local_activity_task_slot_supplier(FixedSizeSlotSupplier::new(SLOTS))
        .nexus_task_slot_supplier(FixedSizeSlotSupplier::new(1))
        .build()
}
