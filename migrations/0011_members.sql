-- Members of an organization are managed over the API.

-- A person may be known through an organization that the caller does not see, so this looks
-- through the owner's eyes; it tells the id and nothing else.
create function find_or_insert_user(fresh_id uuid, wanted_email text, wanted_name text) returns uuid
language plpgsql security definer set search_path = public as $$
declare
  found_id uuid;
begin
  insert into users (id, email, display_name) values (fresh_id, wanted_email, wanted_name)
  on conflict do nothing;
  select id into strict found_id from users where lower(email) = lower(wanted_email);
  return found_id;
end $$;
comment on function find_or_insert_user(uuid, text, text) is 'The person of this address, made if there is none.';
revoke all on function find_or_insert_user(uuid, text, text) from public;
grant execute on function find_or_insert_user(uuid, text, text) to berth_api, berth_worker, berth_admin;
