//! What allocations that operators gave up may have left on a machine: removed, and proved removed,
//! before the machine takes anybody again.

use std::time::Duration;

use db::machine::Machine;
use domain::unix_user;

use crate::machine::{Fault, Machines, Script};

/// Clears a machine of them. Their GPUs are free again, each try as soon as it is proved.
pub(crate) async fn clear(
    machines: &Machines,
    machine: &Machine,
    limit: Duration,
) -> Result<(), Fault> {
    let mut conn = machines.pool.acquire().await?;
    let given_up = db::machine::unproved(&mut conn, machine.node_id).await?;
    drop(conn);
    for held in given_up {
        let account = unix_user::for_allocation(held.allocation_id);
        let removal = Script::new(include_str!("scripts/remove.sh")).with("ACCOUNT", &account);
        machines.run(machine, removal, limit).await?;
        let gpus: Vec<_> = held.gpus.iter().map(ToString::to_string).collect();
        let proof = Script::new(include_str!("scripts/prove_removed.sh"))
            .with("ACCOUNT", &account)
            .with("GPUS", &gpus.join(" "));
        let report = machines.run(machine, proof, limit).await?;
        let left: Vec<&str> = report.all("left").collect();
        if !left.is_empty() {
            let text = format!("left behind: {}", left.join(", "));
            return Err(Fault::node("removal_incomplete", text));
        }
        let mut tx = machines.pool.begin().await?;
        db::machine::set_proved(&mut tx, held.allocation_id, held.attempt).await?;
        tx.commit().await?;
    }
    Ok(())
}
