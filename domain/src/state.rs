//! States and the transitions between them, one table for each kind of thing.
//!
//! The tables are seeded into the database (`state_transitions`), whose trigger refuses any
//! other change; a test compares the two.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// A set of states with its table of legal changes.
pub trait StateMachine: Copy + Eq + Into<&'static str> + VariantArray + 'static {
    /// Name of the guarded table, as in `state_transitions.entity`.
    const ENTITY: &'static str;
    /// Every legal change, from and to.
    const TRANSITIONS: &'static [(Self, Self)];

    /// The name on the wire and in the database.
    fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether this state may become `to`.
    fn may_become(self, to: Self) -> bool {
        Self::TRANSITIONS.contains(&(self, to))
    }

    /// Whether nothing comes after this state.
    fn is_terminal(self) -> bool {
        !Self::TRANSITIONS.iter().any(|(from, _)| *from == self)
    }
}

macro_rules! states {
    ($(#[$doc:meta])* $name:ident in $entity:literal { $($(#[$vdoc:meta])* $variant:ident,)+ } $($from:ident => $($to:ident)|+;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, EnumString, IntoStaticStr, VariantArray, strum::Display)]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl StateMachine for $name {
            const ENTITY: &'static str = $entity;
            const TRANSITIONS: &'static [(Self, Self)] = &[$($((Self::$from, Self::$to),)+)*];
        }
    };
}

states! {
    /// The life of an allocation. `Released` and `Failed` both mean: no GPU held, nothing left
    /// on a node.
    AllocationState in "allocations" {
        Requested, Queued, Provisioning, Active, Degraded, Releasing, Released, Failed, ReleaseFailed,
    }
    Requested => Queued | Releasing | Failed;
    Queued => Provisioning | Releasing | Failed;
    // Back to the queue: a bad node was given up and no other had room.
    Provisioning => Active | Queued | Releasing | Failed | ReleaseFailed;
    Active => Degraded | Releasing;
    Degraded => Active | Releasing;
    Releasing => Released | ReleaseFailed;
    ReleaseFailed => Releasing;
}

states! {
    /// Where one GPU is in its cycle. `Faulty` GPUs are never offered.
    GpuState in "gpus" { Free, Reserved, Held, Cleaning, Faulty, }
    Free => Reserved | Faulty;
    Reserved => Held | Cleaning | Free | Faulty;
    Held => Cleaning | Faulty;
    Cleaning => Free | Faulty;
    Faulty => Free;
}

states! {
    /// Whether a machine takes new reservations: only `Available` does.
    NodeState in "nodes" { Enrolled, Verifying, Available, Draining, Maintenance, Quarantined, Retired, }
    Enrolled => Verifying | Retired;
    Verifying => Available | Maintenance | Quarantined | Retired;
    Available => Verifying | Draining | Maintenance | Quarantined | Retired;
    Draining => Verifying | Available | Maintenance | Quarantined | Retired;
    Maintenance => Verifying | Available | Quarantined | Retired;
    Quarantined => Verifying | Maintenance | Retired;
}

states! {
    /// How far an asynchronous change has come.
    OperationState in "operations" { Pending, Running, Succeeded, Failed, Cancelled, }
    Pending => Running | Succeeded | Failed | Cancelled;
    Running => Succeeded | Failed | Cancelled;
}

states! {
    /// How far one step of an operation has come. A step that is tried again goes back to running.
    StepState in "operation_steps" { Pending, Running, Succeeded, Failed, Skipped, }
    Pending => Running | Succeeded | Failed | Skipped;
    Running => Succeeded | Failed | Skipped;
    Failed => Running | Succeeded;
    // Tried again on another machine.
    Succeeded => Running;
}

states! {
    /// Where a key that Berth signs with is. `Active` signs; all but `Revoked` verify. The next one
    /// is published before it signs, so that verifiers know it when it does.
    SigningKeyState in "signing_keys" { PrePublished, Active, Retiring, Revoked, }
    PrePublished => Active | Revoked;
    Active => Retiring | Revoked;
    Retiring => Revoked;
}

impl AllocationState {
    /// Whether the allocation may hold GPUs or have something on a node.
    pub fn is_live(self) -> bool {
        !self.is_terminal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_round_trip<S: StateMachine + std::str::FromStr + std::fmt::Debug>() {
        for state in S::VARIANTS {
            assert_eq!(state.as_str().parse::<S>().ok(), Some(*state));
        }
        let mut seen = Vec::new();
        for pair in S::TRANSITIONS {
            assert!(pair.0 != pair.1 && !seen.contains(pair), "{pair:?}");
            seen.push(*pair);
        }
    }

    #[test]
    fn tables_are_sound() {
        names_round_trip::<AllocationState>();
        names_round_trip::<GpuState>();
        names_round_trip::<NodeState>();
        names_round_trip::<OperationState>();
        names_round_trip::<StepState>();
        names_round_trip::<SigningKeyState>();
    }

    #[test]
    fn terminal_states() {
        let terminal: Vec<_> = AllocationState::VARIANTS
            .iter()
            .filter(|s| s.is_terminal())
            .collect();
        assert_eq!(
            terminal,
            [&AllocationState::Released, &AllocationState::Failed]
        );
    }
}
