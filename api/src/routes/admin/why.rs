//! What an operator says about doing something out of the ordinary.

use domain::name::Name;
use serde::Deserialize;
use utoipa::ToSchema;

/// Why, for whoever reads the audit log.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// One line.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    pub(super) reason: Name,
}
