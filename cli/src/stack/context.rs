//! What every part of a stack needs to know about the whole.

use super::layout::Layout;
use super::memory::Memory;
use super::tools::Tools;

#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) layout: Layout,
    pub(super) memory: Memory,
    pub(super) tools: Tools,
    /// Trades safety for speed: what a power failure leaves is worthless. Only for tests.
    pub(super) unsafe_fast: bool,
    pub(super) as_root: bool,
}
