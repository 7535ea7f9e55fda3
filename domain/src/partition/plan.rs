//! What will be done to a table, what that locks, and how it is taken back.

use strum::{IntoStaticStr, VariantArray};

/// One step with one table.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, IntoStaticStr, VariantArray, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Step {
    /// The rows of a plain table get an end.
    Bind,
    /// Every row is looked at, whether it is before that end.
    Prove,
    /// A partitioned table takes the plain one's place.
    CutOver,
    /// Partitions are made before they are needed.
    Premake,
    /// A partition that has served its time is written to the object store and read back.
    Archive,
    /// A partition that has served its time leaves the database.
    Expire,
}

impl Step {
    /// Those that convert a table, in order.
    pub const CONVERSION: &[Self] = &[Self::Bind, Self::Prove, Self::CutOver];

    /// What it locks, and who notices.
    pub fn lock(self) -> &'static str {
        match self {
            Self::Bind => "all of the table, for a change of the catalog",
            Self::Prove | Self::Archive => "nothing that reads or writes",
            Self::CutOver => {
                "all of the table and of what its foreign keys point at, for a change of the catalog"
            }
            Self::Premake | Self::Expire => {
                "nothing of the table that reads or writes; all of what its foreign keys point at, for a change of the catalog"
            }
        }
    }

    /// How many tables it locks that others may have to wait for, at most.
    pub fn tables_locked(self) -> u32 {
        match self {
            Self::Prove | Self::Archive => 0,
            Self::Bind | Self::Premake | Self::Expire => 1,
            Self::CutOver => 2,
        }
    }

    /// How it is taken back. Each step is one transaction: a broken one leaves nothing behind.
    pub fn rollback(self) -> &'static str {
        match self {
            Self::Bind => "alter table … drop constraint partition_bound",
            Self::Prove => "nothing has changed",
            Self::CutOver => "not at all: a partitioned table does all that the plain one did",
            Self::Archive => "nothing has changed in the database",
            Self::Expire => {
                "berth partition restore, where it was archived; else not at all: what it held was handed on"
            }
            Self::Premake => {
                "alter table … detach partition … concurrently, and drop it: it is empty"
            }
        }
    }
}
