-- People who come with an access token of the OpenID provider: who they are here, what of theirs
-- was revoked, and the replicas of the API that must hear of it.

create table external_identities (
  id            uuid        constraint external_identities_pkey primary key,
  user_id       uuid        not null constraint external_identities_user_fkey references users (id),
  issuer        text        not null constraint external_identities_issuer_length check (char_length(issuer) between 1 and 512),
  subject       text        not null constraint external_identities_subject_length check (octet_length(subject) between 1 and 255),
  not_before_at timestamptz,
  created_by    uuid,
  version       bigint      not null default 1,
  created_at    timestamptz not null default clock_timestamp(),
  updated_at    timestamptz not null default clock_timestamp(),
  constraint external_identities_unique unique (issuer, subject)
);
create index external_identities_user on external_identities (user_id, id);
comment on table external_identities is 'Which person a provider''s subject is. Nobody is made here by logging in: an operator links.';
comment on column external_identities.not_before_at is 'Tokens of this subject that were issued before are void; null: none are for that reason.';
alter table external_identities enable row level security;
alter table external_identities force row level security;
create policy operators on external_identities to berth_api using (berth_platform()) with check (berth_platform());
create policy inside on external_identities to berth_owner, berth_worker, berth_admin using (true) with check (true);
create trigger bump_version before update on external_identities for each row execute function bump_version();

create table bearer_denials (
  issuer    text        not null,
  kind      text        not null constraint bearer_denials_kind_known check (kind in ('kid', 'jti', 'sid')),
  value     text        not null constraint bearer_denials_value_length check (octet_length(value) between 1 and 512),
  denied_at timestamptz not null default clock_timestamp(),
  constraint bearer_denials_pkey primary key (issuer, kind, value)
);
comment on table bearer_denials is 'Signing keys, single tokens and sessions of a provider that open nothing any more, whatever its own documents say.';

create table bearer_bounds (
  issuer        text        constraint bearer_bounds_pkey primary key,
  not_before_at timestamptz not null,
  updated_at    timestamptz not null default clock_timestamp()
);
comment on table bearer_bounds is 'Per provider: tokens that were issued before are void. Only ever moves ahead.';

create table api_replicas (
  id         uuid        constraint api_replicas_pkey primary key,
  started_at timestamptz not null default clock_timestamp(),
  seen_at    timestamptz not null default clock_timestamp()
);
comment on table api_replicas is 'Processes that serve the API, each with its last sign of life.';

create table jwks_refreshes (
  id         bigint      generated always as identity constraint jwks_refreshes_pkey primary key,
  purge      boolean     not null,
  request_id text        not null,
  created_at timestamptz not null default clock_timestamp()
);
create index jwks_refreshes_by_time on jwks_refreshes (created_at);
comment on table jwks_refreshes is 'Orders to fetch the provider''s keys now, for every replica.';

create table jwks_refresh_acks (
  refresh_id      bigint      not null constraint jwks_refresh_acks_refresh_fkey references jwks_refreshes (id) on delete cascade,
  replica_id      uuid        not null constraint jwks_refresh_acks_replica_fkey references api_replicas (id) on delete cascade,
  ok              boolean     not null,
  elapsed_millis  integer     not null,
  kids_added      text[]      not null,
  kids_removed    text[]      not null,
  acknowledged_at timestamptz not null default clock_timestamp(),
  constraint jwks_refresh_acks_pkey primary key (refresh_id, replica_id)
);
comment on table jwks_refresh_acks is 'Which replica has carried out which order, and what it changed there.';

-- A person's organizations, whatever organization comes first in the key.
create index memberships_user on memberships (user_id, org_id);

-- As authenticate_api_key: before the organization is known, one subject at a time. Always answers,
-- so that what was revoked and the clock are there for a stranger's token, too.
create function authenticate_bearer(wanted_issuer text, wanted_subject text, kid text, jti text, sid text) returns table (
  identity_id uuid, user_id uuid, platform_role text, org_id uuid, role text, project_roles jsonb,
  kid_denied boolean, jti_denied boolean, sid_denied boolean, not_before_at timestamptz, now timestamptz
) language sql stable security definer set search_path = public as $$
  select e.id, e.user_id, u.platform_role, m.org_id, m.role,
         coalesce((select jsonb_object_agg(p.project_id, p.role) from project_members p
                   where p.org_id = m.org_id and p.user_id = m.user_id), '{}'),
         exists (select from bearer_denials d where d.issuer = wanted_issuer and d.kind = 'kid' and d.value = $3),
         exists (select from bearer_denials d where d.issuer = wanted_issuer and d.kind = 'jti' and d.value = $4),
         exists (select from bearer_denials d where d.issuer = wanted_issuer and d.kind = 'sid' and d.value = $5),
         greatest((select b.not_before_at from bearer_bounds b where b.issuer = wanted_issuer), e.not_before_at),
         clock_timestamp()
  from (select 1) always
  left join external_identities e on e.issuer = wanted_issuer and e.subject = wanted_subject
  left join users u on u.id = e.user_id
  left join memberships m on m.user_id = e.user_id
    and exists (select from organizations o where o.id = m.org_id and o.deleted_at is null)
$$;
revoke all on function authenticate_bearer(text, text, text, text, text) from public;
grant execute on function authenticate_bearer(text, text, text, text, text) to berth_api;

-- Who acted with a token is that person.
alter table audit_logs drop constraint audit_logs_actor_known;
alter table audit_logs add constraint audit_logs_actor_known
  check (actor_kind in ('user', 'api_key', 'workflow', 'system', 'anonymous'));

grant select, insert, update, delete on external_identities to berth_api, berth_admin;
grant select, insert on bearer_denials to berth_api;
grant select, insert, update on bearer_bounds to berth_api;
grant select, insert, update, delete on api_replicas, jwks_refresh_acks to berth_api;
grant select, insert, delete on jwks_refreshes to berth_api;
grant select, insert, update, delete on bearer_denials, bearer_bounds, api_replicas, jwks_refreshes, jwks_refresh_acks to berth_admin;
