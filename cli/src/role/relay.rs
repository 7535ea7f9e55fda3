//! `berth relay`: intents to Temporal, events to NATS.

use platform::settings::Settings;
use platform::telemetry;

use crate::exit::Failure;

pub(crate) fn run() -> Result<(), Failure> {
    let settings = Settings::load()?;
    let telemetry = telemetry::init("relay");
    Ok(super::serve(|shutdown| {
        worker::relay::run(settings, telemetry, shutdown)
    })?)
}
