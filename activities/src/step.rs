//! The step rows that people watch: each is written by the activity that does the step.

use db::PgPool;
use domain::id::OperationId;
use domain::state::StepState;

/// One step under way. Drop it without [`Step::succeed`] or [`Step::fail`] and the row keeps
/// saying `running`, which is what it is until the activity's next try.
#[derive(Debug)]
#[must_use]
pub struct Step {
    operation: Option<OperationId>,
    name: &'static str,
}

impl Step {
    /// Writes `running`, in a transaction of its own so that people see it before the effect.
    pub async fn start(
        pool: &PgPool,
        operation: Option<OperationId>,
        name: &'static str,
    ) -> db::Result<Self> {
        if let Some(operation) = operation {
            let mut tx = pool.begin().await?;
            db::operation_step::start(&mut tx, operation, name).await?;
            tx.commit().await?;
        }
        Ok(Self { operation, name })
    }

    /// Writes `succeeded` in the transaction that holds the effect's own rows.
    pub async fn succeed(
        &self,
        conn: &mut db::PgConnection,
        detail: Option<&str>,
    ) -> db::Result<()> {
        self.finish(conn, StepState::Succeeded, detail).await
    }

    /// Writes `failed` with what a person should read.
    pub async fn fail(&self, pool: &PgPool, detail: &str) -> db::Result<()> {
        let mut tx = pool.begin().await?;
        self.finish(&mut tx, StepState::Failed, Some(detail))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn finish(
        &self,
        conn: &mut db::PgConnection,
        state: StepState,
        detail: Option<&str>,
    ) -> db::Result<()> {
        match self.operation {
            Some(operation) => {
                db::operation_step::finish(conn, operation, self.name, state, detail).await
            }
            None => Ok(()),
        }
    }
}
