//! `berth worker`: workflows and their steps.

use platform::settings::Settings;
use platform::telemetry;

use crate::exit::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Task queues to serve, separated by commas [default: all that there is work for]
    #[arg(long, value_name = "QUEUES", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(worker::QUEUES))]
    queues: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let settings = Settings::load()?;
    let telemetry = telemetry::init("worker");
    let all = || worker::QUEUES.iter().map(ToString::to_string).collect();
    let queues = if args.queues.is_empty() {
        all()
    } else {
        args.queues
    };
    Ok(super::serve(|shutdown| {
        worker::run(settings, queues, telemetry, None, shutdown)
    })?)
}
