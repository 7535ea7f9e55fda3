-- Who there is: organizations, people, what they may do, and what they log in with.

create table organizations (
  id         uuid        constraint organizations_pkey primary key,
  name       text        not null constraint organizations_name_length check (char_length(name) between 1 and 128),
  slug       text        not null constraint organizations_slug_unique unique
                         constraint organizations_slug_shape check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  version    bigint      not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz
);
comment on table organizations is 'Tenants: what is billed, limited and kept apart.';
comment on column organizations.slug is 'Short name for people; unique over the installation.';
comment on column organizations.version is 'Grows by one with each update; the ETag.';
comment on column organizations.deleted_at is 'Set when deleted; a deleted organization answers 404 and its keys open nothing.';
alter table organizations enable row level security;
alter table organizations force row level security;
create policy organization on organizations to berth_api
  using (id = berth_org() or berth_platform()) with check (id = berth_org() or berth_platform());
create policy inside on organizations to berth_owner, berth_worker, berth_admin using (true) with check (true);

create table users (
  id            uuid        constraint users_pkey primary key,
  email         text        not null constraint users_email_shape check (email ~ '^[^@\s]+@[^@\s]+$' and char_length(email) <= 254),
  display_name  text        not null constraint users_display_name_length check (char_length(display_name) between 1 and 128),
  platform_role text        constraint users_platform_role_known check (platform_role in ('operator')),
  version       bigint      not null default 1,
  created_at    timestamptz not null default clock_timestamp(),
  updated_at    timestamptz not null default clock_timestamp()
);
create unique index users_email_unique on users (lower(email));
comment on table users is 'People. A person may belong to several organizations.';
comment on column users.platform_role is 'operator: runs the whole installation (admin routes); null: an ordinary person.';

create table memberships (
  org_id     uuid        not null constraint memberships_org_fkey references organizations (id),
  user_id    uuid        not null constraint memberships_user_fkey references users (id),
  role       text        not null constraint memberships_role_known check (role in ('owner', 'admin', 'member', 'viewer')),
  version    bigint      not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint memberships_pkey primary key (org_id, user_id)
);
comment on table memberships is 'A person''s role in an organization; roles live here, not in the identity provider.';
call protect_tenant_rows('memberships');

-- A person is seen by the organizations he belongs to.
alter table users enable row level security;
alter table users force row level security;
create policy organization on users to berth_api
  using (berth_platform() or exists (select from memberships m where m.user_id = users.id and m.org_id = berth_org()))
  with check (true);
create policy inside on users to berth_owner, berth_worker, berth_admin using (true) with check (true);

create table projects (
  id          uuid        constraint projects_pkey primary key,
  org_id      uuid        not null constraint projects_org_fkey references organizations (id),
  name        text        not null constraint projects_name_length check (char_length(name) between 1 and 128),
  description text        not null default '' constraint projects_description_length check (char_length(description) <= 1024),
  version     bigint      not null default 1,
  created_at  timestamptz not null default clock_timestamp(),
  updated_at  timestamptz not null default clock_timestamp(),
  deleted_at  timestamptz
);
create unique index projects_name_unique on projects (org_id, name) where deleted_at is null;
create index projects_org on projects (org_id, id);
comment on table projects is 'Where allocations live inside an organization.';
call protect_tenant_rows('projects');

create table project_members (
  project_id uuid        not null constraint project_members_project_fkey references projects (id),
  user_id    uuid        not null,
  org_id     uuid        not null,
  role       text        not null constraint project_members_role_known check (role in ('admin', 'member', 'viewer')),
  version    bigint      not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint project_members_pkey primary key (project_id, user_id),
  constraint project_members_membership_fkey foreign key (org_id, user_id) references memberships (org_id, user_id) on delete cascade
);
comment on table project_members is 'A person''s role in one project; only members of the organization can have one.';
call protect_tenant_rows('project_members');

create table api_keys (
  id                     uuid        constraint api_keys_pkey primary key,
  org_id                 uuid        not null constraint api_keys_org_fkey references organizations (id),
  user_id                uuid        not null constraint api_keys_user_fkey references users (id),
  name                   text        not null constraint api_keys_name_length check (char_length(name) between 1 and 128),
  public_id              text        not null constraint api_keys_public_id_unique unique,
  secret_sha256          bytea       not null constraint api_keys_secret_size check (octet_length(secret_sha256) = 32),
  previous_secret_sha256 bytea       constraint api_keys_previous_secret_size check (octet_length(previous_secret_sha256) = 32),
  previous_expires_at    timestamptz,
  expires_at             timestamptz not null,
  revoked_at             timestamptz,
  last_used_at           timestamptz,
  version                bigint      not null default 1,
  created_at             timestamptz not null default clock_timestamp(),
  updated_at             timestamptz not null default clock_timestamp(),
  constraint api_keys_overlap_whole check ((previous_secret_sha256 is null) = (previous_expires_at is null))
);
create index api_keys_org on api_keys (org_id, id);
comment on table api_keys is 'Keys for machines, acting as the person who made them in one organization.';
comment on column api_keys.public_id is 'The middle part of the key, safe to log; finds the row.';
comment on column api_keys.secret_sha256 is 'SHA-256 of the 256-bit secret, which is shown once and kept nowhere.';
comment on column api_keys.previous_secret_sha256 is 'The secret before the last rotation, good until previous_expires_at.';
call protect_tenant_rows('api_keys');

create table ssh_keys (
  id                 uuid        constraint ssh_keys_pkey primary key,
  org_id             uuid        not null constraint ssh_keys_org_fkey references organizations (id),
  user_id            uuid        not null constraint ssh_keys_user_fkey references users (id),
  name               text        not null constraint ssh_keys_name_length check (char_length(name) between 1 and 128),
  algorithm          text        not null,
  public_key         text        not null constraint ssh_keys_public_only check (
                       public_key ~ '^(ssh-|sk-ssh-|ecdsa-|sk-ecdsa-)[a-z0-9@.-]+ [A-Za-z0-9+/]+=*$'),
  fingerprint_sha256 text        not null constraint ssh_keys_fingerprint_shape check (fingerprint_sha256 ~ '^SHA256:[A-Za-z0-9+/]{43}$'),
  version            bigint      not null default 1,
  created_at         timestamptz not null default clock_timestamp(),
  updated_at         timestamptz not null default clock_timestamp(),
  deleted_at         timestamptz
);
create unique index ssh_keys_fingerprint_unique on ssh_keys (org_id, fingerprint_sha256) where deleted_at is null;
comment on table ssh_keys is 'Tenants'' public keys. There is no column for a private one.';
comment on column ssh_keys.public_key is 'Our own serialisation of the key data, without comment or options.';
call protect_tenant_rows('ssh_keys');

-- Authentication happens before the organization is known, so it reads through the owner's eyes,
-- one key at a time.
create function authenticate_api_key(wanted text) returns table (
  id uuid, org_id uuid, user_id uuid, secret_sha256 bytea, previous_secret_sha256 bytea,
  previous_expires_at timestamptz, expires_at timestamptz, revoked_at timestamptz,
  role text, project_roles jsonb, platform_role text, stale_use boolean, now timestamptz
) language sql stable security definer set search_path = public as $$
  select k.id, k.org_id, k.user_id, k.secret_sha256, k.previous_secret_sha256,
         k.previous_expires_at, k.expires_at, k.revoked_at,
         m.role,
         coalesce((select jsonb_object_agg(p.project_id, p.role) from project_members p
                   where p.org_id = k.org_id and p.user_id = k.user_id), '{}'),
         u.platform_role,
         k.last_used_at is null or k.last_used_at < clock_timestamp() - interval '1 minute',
         clock_timestamp()
  from api_keys k
  join organizations o on o.id = k.org_id and o.deleted_at is null
  join memberships m on m.org_id = k.org_id and m.user_id = k.user_id
  join users u on u.id = k.user_id
  where k.public_id = wanted
$$;
revoke all on function authenticate_api_key(text) from public;
grant execute on function authenticate_api_key(text) to berth_api, berth_worker;

-- At most one write a minute and key (AK-06).
create function touch_api_key(wanted uuid) returns void language sql security definer set search_path = public as $$
  update api_keys set last_used_at = clock_timestamp()
  where id = wanted and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')
$$;
revoke all on function touch_api_key(uuid) from public;
grant execute on function touch_api_key(uuid) to berth_api;

create trigger bump_version before update on organizations for each row execute function bump_version();
create trigger bump_version before update on users for each row execute function bump_version();
create trigger bump_version before update on memberships for each row execute function bump_version();
create trigger bump_version before update on projects for each row execute function bump_version();
create trigger bump_version before update on project_members for each row execute function bump_version();
create trigger bump_version before update on api_keys for each row
  when (old.last_used_at is not distinct from new.last_used_at) execute function bump_version();
create trigger bump_version before update on ssh_keys for each row execute function bump_version();

grant select, insert, update on organizations, users, projects, api_keys, ssh_keys to berth_api, berth_worker;
grant select, insert, update, delete on memberships, project_members to berth_api, berth_worker;
grant select, insert, update, delete on organizations, users, memberships, projects, project_members, api_keys, ssh_keys to berth_admin;
