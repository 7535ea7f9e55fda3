//! Terminals that were opened with a ticket.

use domain::id::TerminalSessionId;
use domain::ticket::{Binding, TicketPurpose};
use sqlx::PgConnection;

use crate::error::Result;

/// Writes down that a ticket was used. None: it was used before, whatever anybody else remembers.
/// The transaction sees the binding's organization.
pub async fn insert(
    conn: &mut PgConnection,
    ticket_sha256: &[u8; 32],
    binding: &Binding,
) -> Result<Option<TerminalSessionId>> {
    let id: TerminalSessionId = crate::id::fresh();
    let purpose = match binding.purpose {
        TicketPurpose::Terminal => "terminal",
        TicketPurpose::TerminalResume => "terminal_resume",
    };
    let done = sqlx::query!(
        "insert into terminal_sessions (id, org_id, allocation_id, user_id, ticket_hash, purpose, origin)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict on constraint terminal_sessions_ticket_unique do nothing",
        id.uuid(),
        binding.org_id.uuid(),
        binding.allocation_id.uuid(),
        binding.user_id.uuid(),
        ticket_sha256.as_slice(),
        purpose,
        binding.origin,
    )
    .execute(conn)
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}
