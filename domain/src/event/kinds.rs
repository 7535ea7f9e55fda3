//! Every type of event there is. A new one is an entry here and its schema file.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use uuid::Uuid;

use crate::balance::BalanceState;
use crate::event::At;
use crate::id::{AllocationId, InvoiceId, NodeId, OrgId, ProjectId};
use crate::reason::{Code, ReleaseReason};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $type:literal, $kind:literal $aggregate:ident: $id:ty { $($(#[$fdoc:meta])* $field:ident: $ty:ty),* $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $name {
                pub $aggregate: $id,
                $($(#[$fdoc])* pub $field: $ty,)*
            }

            impl From<$name> for Event {
                fn from(body: $name) -> Self {
                    Self::$name(body)
                }
            }
        )+

        /// A fact that has happened to one thing, its aggregate.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $($name($name),)+
        }

        impl Event {
            /// `berth.<domain>.<entity>.<action>`: the CloudEvents type and the subject.
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$name(_) => $type,)+ }
            }

            /// What it happened to; events of one aggregate are numbered without gaps.
            pub fn aggregate(&self) -> (&'static str, Uuid) {
                match self { $(Self::$name(body) => ($kind, body.$aggregate.uuid()),)+ }
            }

            /// Every type with its JSON Schema.
            pub fn schemas() -> Vec<(&'static str, Schema)> {
                vec![$(($type, generator().into_root_schema_for::<$name>()),)+]
            }
        }
    };
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

impl Event {
    /// The event's body, as it is stored and published.
    pub fn data(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

events! {
    /// Somebody asked for GPUs.
    AllocationRequested = "berth.provisioning.allocation.requested", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
        gpu_count: u32,
    }
    /// It stands in the queue for capacity.
    AllocationQueued = "berth.provisioning.allocation.queued", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
    }
    /// GPUs of one node are reserved for it.
    AllocationProvisioning = "berth.provisioning.allocation.provisioning", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
        node_id: NodeId,
        attempt: u32,
    }
    /// Its tenant can log in.
    AllocationActive = "berth.provisioning.allocation.active", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
        lease_ends_at: At,
    }
    /// Its node is not well.
    AllocationDegraded = "berth.provisioning.allocation.degraded", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
        code: Code,
    }
    /// Its node is well again.
    AllocationRecovered = "berth.provisioning.allocation.recovered", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
    }
    /// It is being taken down; its usage has ended.
    AllocationReleasing = "berth.provisioning.allocation.releasing", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
        reason: ReleaseReason,
    }
    /// Nothing of it is left.
    AllocationReleased = "berth.provisioning.allocation.released", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
    }
    /// It never came to be; nothing of it is left.
    AllocationFailed = "berth.provisioning.allocation.failed", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
        code: Code,
    }
    /// Something of it may be left on a node; its GPUs stay out of the pool.
    AllocationReleaseFailed = "berth.provisioning.allocation.release_failed", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
        code: Code,
    }
    /// Its lease ends later than before.
    AllocationExtended = "berth.provisioning.allocation.extended", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
        lease_ends_at: At,
    }
    /// Its lease is going to end.
    AllocationLeaseEnding = "berth.provisioning.allocation.lease_ending", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
        lease_ends_at: At,
    }
    /// Its node is to be empty: there will be work on it.
    AllocationMaintenancePlanned = "berth.provisioning.allocation.maintenance_planned", "allocation" allocation_id: AllocationId {
        project_id: ProjectId,
        /// When the work begins; without a date the instant of the announcement.
        starts_at: At,
    }
    /// A machine takes reservations.
    NodeAvailable = "berth.fleet.node.available", "node" node_id: NodeId {}
    /// A machine was found bad and takes no more reservations.
    NodeQuarantined = "berth.fleet.node.quarantined", "node" node_id: NodeId {
        code: Code,
    }
    /// A prepaid balance came nearer to its end, or was filled up again.
    BalanceStateChanged = "berth.billing.balance.state_changed", "organization" organization_id: OrgId {
        from: BalanceState,
        to: BalanceState,
    }
    /// An organization was charged for a period.
    InvoiceIssued = "berth.billing.invoice.issued", "invoice" invoice_id: InvoiceId {
    }
    /// An invoice was taken back; another one follows if there is something to charge.
    CreditNoteIssued = "berth.billing.credit_note.issued", "invoice" invoice_id: InvoiceId {
    }
}
