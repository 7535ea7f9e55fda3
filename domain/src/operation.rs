//! Kinds of asynchronous changes, and the steps that each announces.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// What an operation changes. The name on the wire is `<resource>.<verb>`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    strum::Display,
)]
pub enum OperationKind {
    #[serde(rename = "allocation.create")]
    #[strum(serialize = "allocation.create")]
    AllocationCreate,
    #[serde(rename = "allocation.extend")]
    #[strum(serialize = "allocation.extend")]
    AllocationExtend,
    #[serde(rename = "allocation.release")]
    #[strum(serialize = "allocation.release")]
    AllocationRelease,
    #[serde(rename = "allocation.retry_release")]
    #[strum(serialize = "allocation.retry_release")]
    AllocationRetryRelease,
    #[serde(rename = "allocation.force_release")]
    #[strum(serialize = "allocation.force_release")]
    AllocationForceRelease,
    #[serde(rename = "billing_run.create")]
    #[strum(serialize = "billing_run.create")]
    BillingRunCreate,
    #[serde(rename = "maintenance.create")]
    #[strum(serialize = "maintenance.create")]
    MaintenanceCreate,
    #[serde(rename = "node.enroll")]
    #[strum(serialize = "node.enroll")]
    NodeEnroll,
    #[serde(rename = "node.probe")]
    #[strum(serialize = "node.probe")]
    NodeProbe,
    #[serde(rename = "rotation.create")]
    #[strum(serialize = "rotation.create")]
    RotationCreate,
}

impl OperationKind {
    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What it works on, as `operations.resource_kind`.
    pub fn resource_kind(self) -> &'static str {
        match self {
            Self::AllocationCreate
            | Self::AllocationExtend
            | Self::AllocationRelease
            | Self::AllocationRetryRelease
            | Self::AllocationForceRelease => "allocation",
            Self::BillingRunCreate => "billing_run",
            Self::MaintenanceCreate => "maintenance",
            Self::RotationCreate => "rotation",
            Self::NodeEnroll | Self::NodeProbe => "node",
        }
    }

    /// Steps that people see before the first one starts, in order.
    pub fn announced_steps(self) -> &'static [&'static str] {
        match self {
            Self::AllocationCreate => &[
                "admit",
                "reserve",
                "preflight",
                "install_access",
                "accept",
                "activate",
            ],
            Self::AllocationExtend => &[],
            Self::AllocationRelease | Self::AllocationRetryRelease => {
                &["begin_release", "remove_access", "prove_removed", "free"]
            }
            Self::AllocationForceRelease => &["give_up"],
            Self::BillingRunCreate => &["open", "post", "close"],
            Self::MaintenanceCreate => &["open", "convert", "premake", "close"],
            Self::RotationCreate => &["publish", "activate", "revoke", "resign", "close"],
            Self::NodeEnroll | Self::NodeProbe => &["verify", "admit"],
        }
    }

    /// Whether its work is to end an allocation.
    pub fn is_release(self) -> bool {
        matches!(
            self,
            Self::AllocationRelease | Self::AllocationRetryRelease | Self::AllocationForceRelease
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_start_with_their_resource() {
        for kind in OperationKind::VARIANTS {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert!(kind.as_str().starts_with(kind.resource_kind()));
            assert_eq!(
                serde_json::to_value(kind).ok().as_ref(),
                Some(&serde_json::Value::from(kind.as_str()))
            );
        }
    }
}
