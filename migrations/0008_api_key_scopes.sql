-- What a key may be used for, and where it was used last (AK-03, AK-06).

alter table api_keys
  add column scopes text[] not null default '{read,write,admin}'
    constraint api_keys_scopes_known check (scopes <@ '{read,write,admin}' and cardinality(scopes) between 1 and 3),
  add column last_used_ip inet;
comment on column api_keys.scopes is 'What the key may be used for, within what its person may do; those from before had no bounds.';
comment on column api_keys.last_used_ip is 'Where the call came from that last_used_at notes; written with it, once a minute at most.';

-- The same with the scopes. A process of the version before names the columns it reads.
drop function authenticate_api_key(text);
create function authenticate_api_key(wanted text) returns table (
  id uuid, org_id uuid, user_id uuid, secret_sha256 bytea, previous_secret_sha256 bytea,
  previous_expires_at timestamptz, expires_at timestamptz, revoked_at timestamptz,
  role text, project_roles jsonb, platform_role text, stale_use boolean, now timestamptz, scopes text[]
) language sql stable security definer set search_path = public as $$
  select k.id, k.org_id, k.user_id, k.secret_sha256, k.previous_secret_sha256,
         k.previous_expires_at, k.expires_at, k.revoked_at,
         m.role,
         coalesce((select jsonb_object_agg(p.project_id, p.role) from project_members p
                   where p.org_id = k.org_id and p.user_id = k.user_id), '{}'),
         u.platform_role,
         k.last_used_at is null or k.last_used_at < clock_timestamp() - interval '1 minute',
         clock_timestamp(), k.scopes
  from api_keys k
  join organizations o on o.id = k.org_id and o.deleted_at is null
  join memberships m on m.org_id = k.org_id and m.user_id = k.user_id
  join users u on u.id = k.user_id
  where k.public_id = wanted
$$;
revoke all on function authenticate_api_key(text) from public;
grant execute on function authenticate_api_key(text) to berth_api, berth_worker;

-- At most one write a minute and key, however many calls find the last one too old at once: the
-- second to get the row sees the first one's.
create function touch_api_key(wanted uuid, from_address text) returns void language sql security definer set search_path = public as $$
  update api_keys set last_used_at = clock_timestamp(), last_used_ip = from_address::inet
  where id = wanted and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')
$$;
revoke all on function touch_api_key(uuid, text) from public;
grant execute on function touch_api_key(uuid, text) to berth_api;
