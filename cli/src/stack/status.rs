//! `berth stack status|stop|start`

use super::control::{Answer, Request, Row, ask};
use super::layout::Layout;
use super::{StackArgs, StackVerb};
use crate::exit::Failure;

pub(super) async fn run(args: &StackArgs) -> Result<(), Failure> {
    let layout = Layout::of_running(args.data_dir.as_deref())?;
    let request = match &args.verb {
        StackVerb::Status => Request::Status,
        StackVerb::Stop { name } => Request::Stop { name: name.clone() },
        StackVerb::Start { name } => Request::Start { name: name.clone() },
    };
    match ask(&layout, &request).await? {
        Answer::Members(rows) => {
            print(&args.output, &rows, &args.verb)?;
            Ok(())
        }
        Answer::NotFound(why) => Err(Failure::NotFound(why)),
        Answer::Failed(why) => Err(anyhow::anyhow!(why).into()),
    }
}

/// All members, or the one that was stopped or started.
fn print(output: &str, rows: &[Row], verb: &StackVerb) -> anyhow::Result<()> {
    let rows = rows.iter().filter(|row| match verb {
        StackVerb::Status => true,
        StackVerb::Stop { name } | StackVerb::Start { name } => row.name == *name,
    });
    if output == "json" {
        println!(
            "{}",
            serde_json::to_string_pretty(&rows.collect::<Vec<_>>())?
        );
        return Ok(());
    }
    println!("{:10}  {:10}  {:>8}  ADDRESS", "NAME", "STATE", "PID");
    for row in rows {
        let pid = row.pid.map(|pid| pid.to_string()).unwrap_or_default();
        println!(
            "{:10}  {:10}  {pid:>8}  {}",
            row.name,
            row.state,
            row.address.as_deref().unwrap_or_default()
        );
    }
    Ok(())
}
