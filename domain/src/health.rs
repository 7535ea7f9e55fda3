//! How a machine fares from look to look, and what that keeps from happening on it.

use crate::inventory::{Finding, FindingCode};
use crate::reason::Code;

/// What a finding stands in the way of. The order is by gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocks {
    /// New reservations: what runs there goes on.
    Reservations,
    /// Work: whoever has GPUs there does not get what was promised.
    Use,
}

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It did not answer, which may be the network's fault.
    Away(Code),
    /// It answered, and cannot be used: another host key, no login, no driver.
    Unusable(Code),
    Seen(Vec<Finding>),
}

/// How many looks in a row it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Without an answer, until the machine counts as lost; at least 1.
    pub missed_looks: u32,
    /// Without anything that keeps from work, until a fault counts as gone; at least 1.
    pub good_looks: u32,
}

/// What keeps people from working, and on which GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub code: Code,
    /// Their indexes, in order. `None`: the whole machine.
    pub gpus: Option<Vec<u32>>,
}

/// What is known after the looks so far. It begins as [`Health::default`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Looks in a row without an answer.
    pub missed_looks: u32,
    /// Looks in a row that found nothing which keeps from work.
    pub good_looks: u32,
    /// Looks in a row that found nothing at all.
    pub clean_looks: u32,
    pub fault: Option<Fault>,
}

impl Health {
    /// What is known after one look more.
    #[must_use]
    pub fn after(self, look: &Look, patience: Patience) -> Self {
        if let Look::Away(code) = look {
            let missed_looks = self.missed_looks.saturating_add(1);
            let lost = missed_looks >= patience.missed_looks;
            return Self {
                missed_looks,
                good_looks: 0,
                clean_looks: 0,
                fault: self
                    .fault
                    .or_else(|| lost.then(|| Fault::whole(code.clone()))),
            };
        }
        if let Some(fault) = look.fault() {
            return Self {
                missed_looks: 0,
                good_looks: 0,
                clean_looks: 0,
                fault: Some(fault),
            };
        }
        let good_looks = self.good_looks.saturating_add(1);
        let well = good_looks >= patience.good_looks || self.is_only_restarted();
        Self {
            missed_looks: 0,
            good_looks,
            clean_looks: match look.code() {
                Some(_) => 0,
                None => self.clean_looks.saturating_add(1),
            },
            fault: self.fault.filter(|_| !well),
        }
    }
}

impl Health {
    /// A restart is over as soon as the machine is seen again.
    fn is_only_restarted(&self) -> bool {
        let restarted = Code::from(FindingCode::Rebooted);
        self.fault
            .as_ref()
            .is_some_and(|fault| fault.code == restarted)
    }
}

impl Look {
    /// What keeps from work, as far as this look tells.
    fn fault(&self) -> Option<Fault> {
        let Self::Seen(findings) = self else {
            return self.code().map(Fault::whole);
        };
        let mut grave = findings
            .iter()
            .filter(|finding| finding.code.blocks() == Blocks::Use)
            .peekable();
        let code = grave.peek()?.code.into();
        let gpus = grave.map(|finding| finding.gpu_index).collect();
        let sorted = |mut gpus: Vec<u32>| {
            gpus.sort_unstable();
            gpus.dedup();
            gpus
        };
        let gpus: Option<Vec<u32>> = gpus;
        Some(Fault {
            code,
            gpus: gpus.map(sorted),
        })
    }

    /// Why nothing new is to come here, as far as this look tells. A machine that was started anew
    /// is as good as any to those who have nothing there.
    pub fn code(&self) -> Option<Code> {
        let keeps_out = |finding: &&Finding| finding.code != FindingCode::Rebooted;
        match self {
            Self::Away(code) | Self::Unusable(code) => Some(code.clone()),
            Self::Seen(findings) => {
                let first = findings.iter().find(keeps_out);
                first.map(|finding| finding.code.into())
            }
        }
    }
}

impl Fault {
    fn whole(code: Code) -> Self {
        Self { code, gpus: None }
    }

    /// Whether it keeps from work on any of these GPUs.
    pub fn concerns(&self, gpus: &[u32]) -> bool {
        match &self.gpus {
            None => true,
            Some(bad) => bad.iter().any(|gpu| gpus.contains(gpu)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Patience = Patience {
        missed_looks: 3,
        good_looks: 2,
    };

    fn finding(code: FindingCode, gpu_index: Option<u32>) -> Finding {
        Finding {
            code,
            gpu_index,
            detail: String::new(),
        }
    }

    fn away() -> Look {
        Look::Away("node_unreachable".parse().unwrap())
    }

    fn after(looks: &[Look]) -> Health {
        looks.iter().fold(Health::default(), |health, look| {
            health.after(look, PATIENCE)
        })
    }

    #[test]
    fn a_machine_is_lost_after_three_misses_and_well_after_two_good_looks() {
        let good = Look::Seen(vec![]);
        assert_eq!(after(&[away(), away()]).fault, None);
        assert_eq!(after(&[away(), away(), good.clone(), away()]).fault, None);
        let lost = [away(), away(), away()];
        assert!(after(&lost).fault.unwrap().concerns(&[0]));
        let back = |good_looks| [&lost[..], &vec![good.clone(); good_looks]].concat();
        assert!(after(&back(1)).fault.is_some());
        assert_eq!(after(&back(2)).fault, None);
    }

    #[test]
    fn a_bad_gpu_is_nobody_elses_trouble() {
        let look = Look::Seen(vec![
            finding(FindingCode::GpuMissing, Some(3)),
            finding(FindingCode::EccErrors, Some(1)),
            finding(FindingCode::DiskFull, None),
        ]);
        let fault = after(&[look]).fault.unwrap();
        assert_eq!(
            (fault.code.as_str(), fault.gpus.as_deref()),
            ("gpu_missing", Some(&[1, 3][..]))
        );
        assert!(fault.concerns(&[0, 3]) && !fault.concerns(&[0, 2]));
    }

    #[test]
    fn a_restart_is_over_with_the_next_look_and_keeps_nobody_out() {
        let look = Look::Seen(vec![finding(FindingCode::Rebooted, None)]);
        assert_eq!(look.code(), None);
        let restarted = after(std::slice::from_ref(&look));
        assert_eq!(
            restarted.fault.as_ref().map(|fault| fault.code.as_str()),
            Some("rebooted")
        );
        assert_eq!(after(&[look, Look::Seen(vec![])]).fault, None);
    }

    #[test]
    fn what_only_blocks_reservations_is_no_fault() {
        let look = Look::Seen(vec![finding(FindingCode::DiskFull, None)]);
        assert_eq!(look.code().unwrap().as_str(), "disk_full");
        assert_eq!(after(&[look]).fault, None);
    }

    fn looks() -> impl Strategy<Value = Vec<Look>> {
        let codes = prop_oneof![
            Just(FindingCode::GpuMissing),
            Just(FindingCode::DiskFull),
            Just(FindingCode::XidErrors),
        ];
        let findings = prop::collection::vec((codes, prop::option::of(0..4_u32)), 0..3);
        let seen = findings.prop_map(|all| {
            Look::Seen(
                all.into_iter()
                    .map(|(code, gpu)| finding(code, gpu))
                    .collect(),
            )
        });
        let unusable = Just(Look::Unusable("host_key_mismatch".parse().unwrap()));
        prop::collection::vec(prop_oneof![Just(away()), unusable, seen], 0..40)
    }

    proptest! {
        /// From any past: enough good looks heal, enough misses break, and no single miss does.
        #[test]
        fn every_past_is_left_behind(past in looks()) {
            let past = after(&past);
            let good = Look::Seen(vec![]);
            let healed = (0..PATIENCE.good_looks)
                .fold(past.clone(), |health, _| health.after(&good, PATIENCE));
            prop_assert_eq!(healed.fault.clone(), None);
            prop_assert_eq!(healed.clone().after(&away(), PATIENCE).fault, None);
            let lost = (0..PATIENCE.missed_looks)
                .fold(healed, |health, _| health.after(&away(), PATIENCE));
            prop_assert!(lost.fault.is_some());
        }
    }
}
