-- Tables that only grow are converted to partitions while they are written to. What a table has
-- (checks, keys, indexes, triggers, row security, grants) is read from the catalog, so that a later
-- migration has nothing to repeat here. Each function is one transaction of the owner's; whoever is
-- killed in the middle of one leaves the catalog as it was.

-- Names of partitions are the table's and the day on which they begin; the first one has no such day.
create function partition_name(parent name, since timestamptz) returns text language sql immutable as
$$ select parent || coalesce(to_char(since at time zone 'UTC', '"_p"YYYYMMDD'), '_first') $$;

create view table_partitions with (security_invoker = true) as
  select parent.relname::text as table_name, child.relname::text as name, child.oid as relid,
         substring(pg_get_expr(child.relpartbound, child.oid) from 'FROM \(''([^'']+)''\)')::timestamptz as since,
         substring(pg_get_expr(child.relpartbound, child.oid) from 'TO \(''([^'']+)''\)')::timestamptz as until,
         i.inhdetachpending as detaching
  from pg_inherits i
  join pg_class child on child.oid = i.inhrelid
  join pg_class parent on parent.oid = i.inhparent and parent.relkind = 'p'
  where parent.relnamespace = 'public'::regnamespace;
comment on view table_partitions is 'Partitions that there are. since: null in the first one, which holds all that is older.';
grant select on table_partitions to berth_api, berth_worker, berth_admin;

-- How far a table is on its way: a plain one may have an end that its rows are known not to reach.
create view table_forms with (security_invoker = true) as
  select c.relname::text as table_name, c.relkind = 'p' as converted,
         substring(pg_get_constraintdef(k.oid) from '''([^'']+)''')::timestamptz as bounded_until,
         coalesce(k.convalidated, false) as bound_proved
  from pg_class c
  left join pg_constraint k on k.conrelid = c.oid and k.conname = 'partition_bound' and c.relkind = 'r'
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition;
comment on view table_forms is 'Whether a table is partitioned, and until when the rows of a plain one are bound to be.';
grant select on table_forms to berth_api, berth_worker, berth_admin;

-- A lock on a table that has writers. First it waits for vacuum, which stops for it, and keeps
-- others like itself away; nobody who reads or writes notices. Only then it asks for all of the
-- table: whoever comes after it waits behind it, for `patience` at most.
create procedure partition_lock(target regclass, patience interval) language plpgsql as $$
begin
  perform set_config('lock_timeout', '60s', true);
  execute format('lock table only %s in share update exclusive mode', target);
  perform set_config('lock_timeout', (extract(epoch from patience) * 1000)::integer || 'ms', true);
  execute format('lock table only %s in access exclusive mode', target);
end $$;

-- New rows end before `until`. Old ones are looked at by `partition_prove`, under no such lock.
create function partition_bind(target regclass, until timestamptz, patience interval) returns void
language plpgsql set search_path = public, pg_temp as $$
begin
  call partition_lock(target, patience);
  execute format('alter table %s drop constraint if exists partition_bound', target);
  execute format('alter table %s add constraint partition_bound check (created_at < %L) not valid', target, until);
end $$;

create function partition_prove(target regclass) returns void
language plpgsql set search_path = public, pg_temp as $$
begin
  perform set_config('lock_timeout', '60s', true);
  execute format('alter table %s validate constraint partition_bound', target);
end $$;

-- Gives a table the row security of another one, and the triggers that refuse; with `all_triggers`
-- those, too, that act on what was written, which only the table that statements name may have.
create procedure partition_dress(model regclass, target regclass, all_triggers boolean) language plpgsql as $$
declare
  one record;
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  for one in
    select policyname, permissive, cmd, qual, with_check,
           (select string_agg(quote_ident(role), ', ') from unnest(roles) as role) as roles
    from pg_policies where schemaname = 'public' and tablename = (select relname from pg_class where oid = model)
  loop
    execute format('create policy %I on %s as %s for %s to %s', one.policyname, target, one.permissive, one.cmd, one.roles)
      || coalesce(' using (' || one.qual || ')', '') || coalesce(' with check (' || one.with_check || ')', '');
  end loop;
  for one in
    select pg_get_triggerdef(t.oid) as definition from pg_trigger t
    -- 2 is the bit of BEFORE.
    where t.tgrelid = model and not t.tgisinternal and (all_triggers or t.tgtype & 2 = 2)
  loop
    execute regexp_replace(one.definition, ' ON (ONLY )?\S+ ', format(' ON %s ', target));
  end loop;
end $$;

-- The tables that a table's foreign keys point at: nobody may write to those while it is moved.
-- Writers write to them first, so they are locked first.
create procedure partition_lock_referenced(target regclass, patience interval) language plpgsql as $$
declare
  referenced regclass[] := array(select distinct confrelid::regclass from pg_constraint
                                 where conrelid = target and contype = 'f' order by 1);
  one regclass;
begin
  perform set_config('lock_timeout', '60s', true);
  foreach one in array referenced loop
    execute format('lock table only %s in share update exclusive mode', one);
  end loop;
  foreach one in array referenced loop
    call partition_lock(one, patience);
  end loop;
end $$;

-- Puts a partitioned table in the place of a plain one, which becomes its first partition. All that
-- takes long is done before anybody has to wait: on a table that nobody knows yet.
create function partition_cut_over(target regclass, patience interval) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  plain  text := (select relname from pg_class where oid = target and relkind = 'r');
  heir   text := plain || '_heir';
  first  text := partition_name(plain, null);
  until  timestamptz := (select bounded_until from table_forms where table_name = plain and bound_proved);
  -- What is left to be done while everybody waits.
  swaps  text[] := array[format('alter table %I rename to %I', plain, first)];
  swap   text;
  one    record;
begin
  if until is null then
    raise exception '% is not bound to end anywhere', target using errcode = 'BT005', constraint = 'partition_bound';
  end if;
  if exists (select from pg_depend d join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
             where d.refclassid = 'pg_class'::regclass and d.refobjid = target)
    or exists (select from pg_constraint where contype = 'f' and confrelid = target) then
    raise exception 'a view or a foreign key points at %', target using errcode = 'BT005', constraint = 'partition_free';
  end if;
  -- Waits for vacuum; reads and writes go on.
  perform set_config('lock_timeout', '60s', true);
  execute format('lock table only %s in share update exclusive mode', target);

  execute format('create table %I (like %I including defaults including constraints including comments including storage)
                  partition by range (created_at)', heir, plain);
  execute format('alter table %I drop constraint partition_bound', heir);
  execute format('comment on table %I is %L', heir, obj_description(target, 'pg_class'));
  for one in
    select i.relname as name, pg_get_indexdef(x.indexrelid) as definition, k.conname, pg_get_constraintdef(k.oid) as constrained
    from pg_index x join pg_class i on i.oid = x.indexrelid
    left join pg_constraint k on k.conindid = x.indexrelid and k.conrelid = target and k.contype in ('p', 'u')
    where x.indrelid = target
  loop
    if one.conname is null then
      execute regexp_replace(one.definition, ' INDEX \S+ ON (ONLY )?\S+ ', format(' INDEX %I ON %I ', one.name || '_heir', heir));
    else
      execute format('alter table %I add constraint %I %s', heir, one.name || '_heir', one.constrained);
    end if;
    swaps := swaps || format('alter index %I rename to %I', one.name, one.name || '_first')
                   || format('alter index %I rename to %I', one.name || '_heir', one.name);
  end loop;
  call partition_dress(target, heir::regclass, true);
  for one in
    select a.privilege_type, g.rolname from pg_class c cross join aclexplode(c.relacl) as a
    join pg_roles g on g.oid = a.grantee where c.oid = target and a.grantee <> c.relowner
  loop
    execute format('grant %s on %I to %I', one.privilege_type, heir, one.rolname);
    -- Who may not write to a partition by its own name passes by no trigger of the table's.
    swaps := swaps || format('revoke %s on %I from %I', one.privilege_type, first, one.rolname);
  end loop;
  for one in select tgname from pg_trigger where tgrelid = target and not tgisinternal and tgtype & 2 = 0 loop
    swaps := swaps || format('drop trigger %I on %I', one.tgname, first);
  end loop;
  swaps := swaps || format('alter table %I rename to %I', heir, plain)
                 || format('alter table %I attach partition %I for values from (minvalue) to (%L)', plain, first, until)
                 -- The partition's own bound says it from here on.
                 || format('alter table %I drop constraint partition_bound', first);

  call partition_lock_referenced(target, patience);
  for one in select conname, pg_get_constraintdef(oid) as definition from pg_constraint where conrelid = target and contype = 'f' loop
    execute format('alter table %I add constraint %I %s', heir, one.conname, one.definition);
  end loop;
  call partition_lock(target, patience);
  foreach swap in array swaps loop
    execute swap;
  end loop;
end $$;

-- Adds a partition. The table that it becomes is made by itself, so that nobody waits who reads or
-- writes the others.
create function partition_add(target regclass, since timestamptz, until timestamptz, patience interval) returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  parent text := (select relname from pg_class where oid = target and relkind = 'p');
  added  text := partition_name(parent, since);
begin
  perform set_config('lock_timeout', '60s', true);
  execute format('lock table only %s in share update exclusive mode', target);
  if exists (select from table_partitions where table_name = parent and name = added and not detaching) then
    return added;
  end if;
  execute format('create table %I (like %I including defaults including constraints including comments including storage)', added, parent);
  call partition_dress(target, added::regclass, false);
  call partition_lock_referenced(target, patience);
  execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, added, since, until);
  return added;
end $$;

-- A partition that is about to be detached because it has served its time. Whatever somebody else has
-- detached is his.
create function partition_mark(target regclass) returns void
language plpgsql set search_path = public, pg_temp as $$
begin
  perform set_config('lock_timeout', '60s', true);
  execute format('comment on table %s is %L', target, 'berth: has served its time');
end $$;

-- What was a partition and is nobody's now. The other half of detaching it is ended first.
create function partition_detached(target regclass) returns setof text
language plpgsql set search_path = public, pg_temp as $$
declare
  parent text := (select relname from pg_class where oid = target);
  broken text;
begin
  perform set_config('lock_timeout', '60s', true);
  for broken in
    select name from table_partitions where table_name = parent and detaching
      and obj_description(relid, 'pg_class') = 'berth: has served its time'
  loop
    execute format('alter table %I detach partition %I finalize', parent, broken);
  end loop;
  return query
    select relname::text from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' and not relispartition
      and (relname ~ ('^' || parent || '_p[0-9]{8}$') or relname = partition_name(parent, null))
      and obj_description(oid, 'pg_class') = 'berth: has served its time'
    order by relname;
end $$;

create function partition_drop(target regclass, patience interval) returns void
language plpgsql set search_path = public, pg_temp as $$
begin
  perform set_config('lock_timeout', (extract(epoch from patience) * 1000)::integer || 'ms', true);
  if exists (select from pg_class where oid = target and relispartition)
    or obj_description(target, 'pg_class') is distinct from 'berth: has served its time' then
    raise exception '% is no detached partition', target using errcode = 'BT005', constraint = 'partition_detached';
  end if;
  call partition_lock_referenced(target, patience);
  execute format('drop table %s', target);
end $$;

-- The planner knows of a partitioned table only what it is told.
create function partition_analyze(target regclass) returns void
language plpgsql set search_path = public, pg_temp as $$
begin
  perform set_config('lock_timeout', '60s', true);
  execute format('analyze %s', target);
end $$;

revoke execute on function partition_bind, partition_prove, partition_cut_over, partition_add, partition_mark, partition_detached, partition_drop, partition_analyze from public;
revoke execute on procedure partition_lock, partition_dress, partition_lock_referenced from public;
