-- Rows that have served their time are forgotten by the workers, some at once.
grant delete on terminal_sessions, browser_sessions, dead_letters, outbox_events, workflow_intents to berth_worker;
grant select on browser_sessions to berth_worker;
-- A row is locked before it goes, which asks for a right to change something of it.
grant update (created_at) on idempotency_keys, terminal_sessions, browser_sessions to berth_worker;
create index browser_sessions_end on browser_sessions (least(expires_at, ended_at));
create index dead_letters_replayed on dead_letters (replayed_at) where replayed_at is not null;
