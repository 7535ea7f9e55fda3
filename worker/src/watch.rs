//! Who stands around the steps that a worker carries out.

use std::sync::Arc;

use temporalio_sdk::interceptors::{
    ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next,
};

/// One watch for all queues of a process: sees each step come, may hold or refuse it, and sees what
/// came of it.
#[derive(Clone)]
pub struct Watch(Arc<dyn ActivityInboundInterceptor>);

impl Watch {
    pub fn new(watch: Arc<dyn ActivityInboundInterceptor>) -> Self {
        Self(watch)
    }
}

impl ActivityInboundInterceptor for Watch {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        self.0.execute_activity(input, next)
    }
}
