//! `berth config`: what this process would run with.

use clap::Subcommand;
use platform::settings::{KNOWN, Need, Settings, Source};

use crate::exit::Failure;

#[derive(Subcommand)]
pub(crate) enum Config {
    /// Check every setting and print what is in force, without secrets
    #[command(after_help = platform::settings::help())]
    Check {
        /// Print as `text` or `json`
        #[arg(short, long, default_value = "text", value_parser = ["text", "json"])]
        output: String,
    },
}

pub(crate) fn run(config: &Config) -> Result<(), Failure> {
    let Config::Check { output } = config;
    let source = Source::of_process()?;
    Settings::from_source(&source)?;
    let rows = KNOWN.iter().map(|known| {
        let value = match (source.get(known.name), known.need) {
            (Some(_), _) if known.secret => "(set)",
            (Some(value), _) | (None, Need::Default(value)) => value,
            (None, _) => "",
        };
        (known.name, value)
    });
    if output == "json" {
        let object: serde_json::Map<_, _> = rows
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        println!("{:#}", serde_json::Value::Object(object));
    } else {
        let width = KNOWN
            .iter()
            .map(|known| known.name.len())
            .max()
            .unwrap_or_default();
        for (name, value) in rows {
            println!(
                "{name:width$}  {}",
                if value.is_empty() { "(unset)" } else { value }
            );
        }
    }
    Ok(())
}
