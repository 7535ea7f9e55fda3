//! Which node an allocation gets.

use crate::id::NodeId;

/// A node that may be used, and how many of its GPUs are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    pub node: NodeId,
    pub free: u32,
}

/// The node that is left with the fewest free GPUs, so that big requests find whole nodes; among
/// equals the oldest. All GPUs come from one node, or there is none.
pub fn best_fit(wanted: u32, candidates: &[Candidate]) -> Option<NodeId> {
    candidates
        .iter()
        .filter(|candidate| candidate.free >= wanted)
        .min_by_key(|candidate| (candidate.free, candidate.node))
        .map(|candidate| candidate.node)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn node(number: u128) -> NodeId {
        NodeId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn takes_the_tightest_node_that_fits() {
        type Case = (u32, &'static [(u128, u32)], Option<u128>);
        let cases: &[Case] = &[
            (1, &[], None),
            (1, &[(1, 0)], None),
            (1, &[(1, 1)], Some(1)),
            (1, &[(1, 8), (2, 3)], Some(2)),
            (3, &[(1, 8), (2, 3)], Some(2)),
            (4, &[(1, 8), (2, 3)], Some(1)),
            (8, &[(1, 7), (2, 7)], None),
            (2, &[(3, 4), (1, 4), (2, 4)], Some(1)),
            (2, &[(1, 2), (2, 4), (3, 2)], Some(1)),
        ];
        for (wanted, nodes, expected) in cases {
            let candidates: Vec<_> = nodes
                .iter()
                .map(|(number, free)| Candidate {
                    node: node(*number),
                    free: *free,
                })
                .collect();
            assert_eq!(
                best_fit(*wanted, &candidates),
                expected.map(node),
                "{wanted} of {nodes:?}"
            );
        }
    }
}
