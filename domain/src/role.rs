//! What a person may do, in an organization and in a project.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// A role in an organization, weakest first: each may do what the ones before it may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Reads everything of the organization.
    Viewer,
    /// Works: leases GPUs, brings keys.
    Member,
    /// Arranges: projects, members, other people's keys.
    Admin,
    /// Everything, the organization itself included.
    Owner,
}

/// A role in one project; it adds to the role in the organization and never takes away from it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ProjectRole {
    Viewer,
    Member,
    Admin,
}

/// A role on the platform, beyond every organization.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PlatformRole {
    /// Reads what concerns money, of every organization, and changes nothing.
    Finance,
    /// Runs the whole installation.
    Operator,
}

impl PlatformRole {
    /// As a row holds it. What is not known gives no right.
    pub fn of_row(text: Option<&str>) -> Option<Self> {
        text.and_then(|text| text.parse().ok())
    }
}

impl Role {
    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl ProjectRole {
    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl From<ProjectRole> for Role {
    fn from(role: ProjectRole) -> Self {
        match role {
            ProjectRole::Viewer => Self::Viewer,
            ProjectRole::Member => Self::Member,
            ProjectRole::Admin => Self::Admin,
        }
    }
}
