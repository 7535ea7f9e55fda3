//! What the limiter of this process did, for Prometheus and for the stats route.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use strum::VariantArray;
use utoipa::ToSchema;

use super::table::{Undecided, terms};
use crate::endpoint::RateClass;

#[derive(Default)]
pub(super) struct Counts {
    failed_open: [AtomicU64; RateClass::VARIANTS.len()],
    rejected: [AtomicU64; RateClass::VARIANTS.len()],
}

/// Since the process started, by class; classes without any are left out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tally {
    /// Requests that Redis did not decide about, and this process did.
    failed_open: BTreeMap<&'static str, u64>,
    /// Requests that were refused, 429 or 503.
    rejected: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// With every counter of undecided requests at zero: an alert cannot see a counter rise that
    /// was not there before.
    pub(super) fn new() -> Self {
        for class in RateClass::VARIANTS {
            if terms(*class).is_some_and(|terms| terms.undecided == Undecided::Local) {
                let name: &'static str = class.into();
                metrics::counter!("api_ratelimit_fail_open_total", "class" => name).increment(0);
            }
        }
        Self::default()
    }

    pub(super) fn failed_open(&self, class: RateClass) {
        let name: &'static str = class.into();
        metrics::counter!("api_ratelimit_fail_open_total", "class" => name).increment(1);
        count(&self.failed_open, class);
    }

    pub(super) fn rejected(&self, class: RateClass, reason: &'static str) {
        let name: &'static str = class.into();
        metrics::counter!("api_ratelimit_rejected_total", "class" => name, "reason" => reason)
            .increment(1);
        count(&self.rejected, class);
    }

    pub(super) fn tally(&self) -> Tally {
        let read = |counts: &[AtomicU64]| {
            RateClass::VARIANTS
                .iter()
                .zip(counts)
                .map(|(class, count)| (class.into(), count.load(Ordering::Relaxed)))
                .filter(|(_, count)| *count > 0)
                .collect()
        };
        Tally {
            failed_open: read(&self.failed_open),
            rejected: read(&self.rejected),
        }
    }
}

fn count(counts: &[AtomicU64], class: RateClass) {
    let of = RateClass::VARIANTS.iter().position(|known| *known == class);
    if let Some(count) = of.and_then(|at| counts.get(at)) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}
