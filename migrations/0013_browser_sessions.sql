-- People who log in with a browser.

create table browser_sessions (
  id                  uuid        constraint browser_sessions_pkey primary key,
  identity_id         uuid        not null constraint browser_sessions_identity_fkey references external_identities (id) on delete cascade,
  org_id              uuid        constraint browser_sessions_org_fkey references organizations (id),
  secret_sha256       bytea       not null constraint browser_sessions_secret_unique unique
                                  constraint browser_sessions_secret_length check (octet_length(secret_sha256) = 32),
  provider_key_id     text        not null,
  provider_session_id text,
  for_operator        boolean     not null,
  token_issued_at     timestamptz not null,
  idle_seconds        integer     not null constraint browser_sessions_idle_positive check (idle_seconds > 0),
  created_at          timestamptz not null default clock_timestamp(),
  seen_at             timestamptz not null default clock_timestamp(),
  expires_at          timestamptz not null constraint browser_sessions_expires_later check (expires_at > created_at),
  ended_at            timestamptz
);
create index browser_sessions_identity on browser_sessions (identity_id, id);
comment on table browser_sessions is 'Sessions of browsers. What the provider said at the login is not kept: roles are Berth''s own.';
comment on column browser_sessions.org_id is 'The organization that the session acts in; null: the person''s only one, or the one that a request names.';
comment on column browser_sessions.provider_key_id is 'The key that signed the ID token; if it is denied, so is the session.';
comment on column browser_sessions.provider_session_id is 'The provider''s own session (sid), where it has told one; if it is denied, so is this.';
comment on column browser_sessions.for_operator is 'Whether it has an operator''s bounds; without them it ends when its person becomes one.';
comment on column browser_sessions.token_issued_at is 'iat of the ID token: what makes older tokens void ends the session.';
comment on column browser_sessions.idle_seconds is 'How long the session lives without a request: what policy said at the login.';
comment on column browser_sessions.seen_at is 'The last request, give or take a tenth of idle_seconds.';
alter table browser_sessions enable row level security;
alter table browser_sessions force row level security;
create policy platform on browser_sessions to berth_api using (berth_platform()) with check (berth_platform());
create policy inside on browser_sessions to berth_owner, berth_worker, berth_admin using (true) with check (true);

-- As authenticate_bearer, for whoever has a session's secret: what was revoked of the token that
-- began it counts for the session, too.
create function authenticate_browser_session(wanted bytea, wanted_issuer text) returns table (
  session_id uuid, session_org_id uuid, ended boolean, expired boolean, stale_use boolean,
  identity_id uuid, user_id uuid, platform_role text, org_id uuid, role text, project_roles jsonb
) language sql stable security definer set search_path = public as $$
  select s.id, s.org_id,
         s.ended_at is not null or b.kid_denied or b.sid_denied or coalesce(s.token_issued_at < b.not_before_at, false)
           or (b.platform_role is not distinct from 'operator' and not s.for_operator),
         least(s.expires_at, s.seen_at + make_interval(secs => s.idle_seconds)) <= b.now,
         s.seen_at + make_interval(secs => s.idle_seconds / 10.0) <= b.now,
         b.identity_id, b.user_id, b.platform_role, b.org_id, b.role, b.project_roles
  from browser_sessions s
  join external_identities e on e.id = s.identity_id and e.issuer = wanted_issuer
  cross join lateral authenticate_bearer(e.issuer, e.subject, s.provider_key_id, null, s.provider_session_id) b
  where s.secret_sha256 = wanted
$$;
revoke all on function authenticate_browser_session(bytea, text) from public;
grant execute on function authenticate_browser_session(bytea, text) to berth_api;

-- Nothing happens to a session that has ended since it was looked at.
create function touch_browser_session(wanted uuid) returns void language sql security definer set search_path = public as $$
  update browser_sessions set seen_at = clock_timestamp()
  where id = wanted and ended_at is null
    and least(expires_at, seen_at + make_interval(secs => idle_seconds)) > clock_timestamp()
    and seen_at + make_interval(secs => idle_seconds / 10.0) <= clock_timestamp()
$$;
revoke all on function touch_browser_session(uuid) from public;
grant execute on function touch_browser_session(uuid) to berth_api;

-- Whoever shows a session may end it, whatever else he may see.
create function end_browser_session(wanted uuid) returns void language sql security definer set search_path = public as $$
  update browser_sessions set ended_at = clock_timestamp() where id = wanted and ended_at is null
$$;
revoke all on function end_browser_session(uuid) from public;
grant execute on function end_browser_session(uuid) to berth_api;

grant select, insert, delete on browser_sessions to berth_api;
grant select, insert, update, delete on browser_sessions to berth_admin;
