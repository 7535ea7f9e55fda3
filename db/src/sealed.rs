//! Envelopes on their way into and out of `_enc` columns.
//!
//! The schema's type `envelope` is one that sqlx's macros do not know, so that a statement which
//! writes such a column does not compile without `bind(…) as _`, and [`bind`] takes nothing but
//! what was sealed for a column.
//!
//! ```compile_fail,E0308
//! let plain = serde_json::json!({"partition": "gpu"});
//! db::sealed::bind::<domain::envelope::column::SchedulerRequest>(&plain);
//! ```

use domain::envelope::{Column, Sealed};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::types::Json;
use sqlx::{Encode, Postgres, Type};

/// A parameter that is an envelope; made by [`bind`] alone.
#[derive(Debug)]
pub struct Envelope(serde_json::Value);

/// What a statement writes into a sealed column.
pub fn bind<C: Column>(sealed: &Sealed<C>) -> Envelope {
    Envelope(sealed.to_json())
}

impl Type<Postgres> for Envelope {
    fn type_info() -> PgTypeInfo {
        <Json<serde_json::Value> as Type<Postgres>>::type_info()
    }
}

impl<'q> Encode<'q, Postgres> for Envelope {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <Json<&serde_json::Value> as Encode<'q, Postgres>>::encode_by_ref(&Json(&self.0), buffer)
    }
}
