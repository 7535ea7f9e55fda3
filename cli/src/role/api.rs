//! `berth api`: REST, OpenAPI and metrics.

use platform::settings::Settings;
use platform::telemetry;

use crate::exit::Failure;

pub(crate) fn run() -> Result<(), Failure> {
    let settings = Settings::load()?;
    let telemetry = telemetry::init("api");
    Ok(super::serve(|shutdown| {
        api::serve(settings, telemetry, shutdown)
    })?)
}

/// Prints what `/openapi.json` serves.
pub(crate) fn openapi() -> Result<(), Failure> {
    print!("{}", api::openapi::render(&api::routes::registry())?);
    Ok(())
}
