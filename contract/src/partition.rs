//! Looking after the tables that only grow; queue `maintenance`.

use domain::audit_chain::Proof;
use domain::data_growth::Guarded;
use domain::id::{ArchiveId, MaintenanceId};
use domain::partition::{Outcome, Report, Task};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// Input of the workflow `PartitionMaintenance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceInput {
    /// `None`: the schedule asks.
    pub maintenance_id: Option<MaintenanceId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenInput {
    pub maintenance: MaintenanceInput,
    /// Of the workflow that asks.
    pub workflow_id: String,
}

/// A run under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub maintenance_id: MaintenanceId,
    /// Those that are looked after; none in a run that is about an archive.
    pub tables: Vec<Planned>,
    pub archive: Option<ArchiveWork>,
    /// The chains of the audit log are to be proved, with or without what lies in archives.
    #[serde(default)]
    pub audit: Option<AuditWork>,
}

/// What is to be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditWork {
    pub archives: bool,
}

/// The chains of the audit log in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditInput {
    pub maintenance_id: MaintenanceId,
    pub archives: bool,
}

/// What is to be done with an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveWork {
    pub archive_id: ArchiveId,
    pub table: Guarded,
    /// [`Task::Restore`] or [`Task::Verify`].
    pub task: Task,
}

/// One archive in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveInput {
    pub maintenance_id: MaintenanceId,
    pub archive_id: ArchiveId,
}

/// What a table needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    pub table: Guarded,
    /// It is to be converted, or has begun to be.
    pub convert: bool,
}

/// One table in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableInput {
    pub maintenance_id: MaintenanceId,
    pub table: Guarded,
}

/// Partitions that a step made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Premade {
    pub partitions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseInput {
    pub maintenance_id: MaintenanceId,
    pub reports: Vec<Report>,
}

/// What the whole run was, for whoever looks at it in the UI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintained {
    /// `None`: another one is under way.
    pub maintenance_id: Option<MaintenanceId>,
    pub outcome: Outcome,
    pub reports: Vec<Report>,
}

pub struct PartitionSteps;

#[activity_definitions]
impl PartitionSteps {
    /// The run of a workflow, the same one each time, with what each table needs; keeps their sizes.
    /// `None`: the schedule asks while another run is under way, or this one has ended.
    #[activity(name = "maintenance.open")]
    pub fn open(_: OpenInput) -> Result<Option<Opened>, ActivityError> {
        unimplemented!()
    }

    /// Sets an end to a plain table's rows that is ahead by at least an interval.
    #[activity(name = "partition.bind")]
    pub fn bind(_: TableInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Reads every row to prove that none is beyond it.
    #[activity(name = "partition.prove")]
    pub fn prove(_: TableInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Puts a partitioned table in its place, unless it is there already.
    #[activity(name = "partition.cut_over")]
    pub fn cut_over(_: TableInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Makes the partitions that have to be there before they are needed. A plain table has none.
    #[activity(name = "partition.premake")]
    pub fn premake(_: TableInput) -> Result<Premade, ActivityError> {
        unimplemented!()
    }

    /// Writes the oldest partition that has served its time to the object store, reads it back, and says
    /// which it is. `None`: there is none that has to be there before it is dropped.
    #[activity(name = "partition.archive")]
    pub fn archive(_: TableInput) -> Result<Option<String>, ActivityError> {
        unimplemented!()
    }

    /// Reads an archive back, whether it is what it was; the name of its partition.
    #[activity(name = "archive.verify")]
    pub fn verify(_: ArchiveInput) -> Result<String, ActivityError> {
        unimplemented!()
    }

    /// Makes an archive a partition again, unless it is one; its name.
    #[activity(name = "archive.restore")]
    pub fn restore(_: ArchiveInput) -> Result<String, ActivityError> {
        unimplemented!()
    }

    /// Reads the audit log, its chains and their signed heads, and says what is wrong.
    #[activity(name = "audit.prove")]
    pub fn prove_audit(_: AuditInput) -> Result<Proof, ActivityError> {
        unimplemented!()
    }

    /// Drops the oldest partition that has served its time, and says which. `None`: there is none, or
    /// somebody waits for its rows still.
    #[activity(name = "partition.expire")]
    pub fn expire(_: TableInput) -> Result<Option<String>, ActivityError> {
        unimplemented!()
    }

    /// Ends the run and its operation.
    #[activity(name = "maintenance.close")]
    pub fn close(_: CloseInput) -> Result<Maintained, ActivityError> {
        unimplemented!()
    }
}

pub use self::partition_steps::{
    Archive, Bind, Close, CutOver, Expire, Open, Premake, Prove, ProveAudit, Restore, Verify,
};
