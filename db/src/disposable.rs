//! Connections that nobody gets after whoever has them now.
//!
//! What breaks off in the middle of some work leaves a trace on its connection: a lock of the session,
//! or the rest of a `COPY`, which would be the answer to the next question on it. Such work asks for one
//! of these; what asks for it takes no other.

use std::ops::{Deref, DerefMut};

use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};

use crate::error::Result;

/// A connection that is closed when it is given back.
#[derive(Debug)]
pub struct Disposable(sqlx::pool::PoolConnection<Postgres>);

impl Disposable {
    pub async fn of(pool: &PgPool) -> Result<Self> {
        let mut conn = pool.acquire().await?;
        conn.close_on_drop();
        Ok(Self(conn))
    }

    pub async fn begin(&mut self) -> Result<DisposableTransaction<'_>> {
        Ok(DisposableTransaction(self.0.begin().await?))
    }
}

impl Deref for Disposable {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Disposable {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

/// A transaction on one.
#[derive(Debug)]
pub struct DisposableTransaction<'c>(Transaction<'c, Postgres>);

impl DisposableTransaction<'_> {
    pub async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }
}

impl Deref for DisposableTransaction<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for DisposableTransaction<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
