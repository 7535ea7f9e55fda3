-- What the maintenance marked: what somebody else detaches is his.
-- Between the halves of a detach a partition has its bounds still. What is detached has them as a check,
-- which Postgres itself adds to what it detaches concurrently.
create view leaving_partitions with (security_invoker = true) as
  select table_name, name, until from table_partitions
  where detaching and obj_description(relid, 'pg_class') = 'berth: has served its time'
  union all
  select parent.relname::text, child.relname::text, bound.until
  from pg_class child
  join pg_class parent
    on parent.relnamespace = child.relnamespace and parent.relkind = 'p'
   and (child.relname ~ ('^' || parent.relname || '_p[0-9]{8}$') or child.relname = partition_name(parent.relname, null))
  cross join lateral (
    select min(substring(pg_get_constraintdef(k.oid) from 'created_at < ''([^'']+)''')::timestamptz) as until
    from pg_constraint k where k.conrelid = child.oid and k.contype = 'c'
  ) as bound
  where child.relnamespace = 'public'::regnamespace and child.relkind = 'r' and not child.relispartition
    and obj_description(child.oid, 'pg_class') = 'berth: has served its time';
comment on view leaving_partitions is 'Partitions on their way out: whoever took them out was killed, or could not go on. until: where their rows end.';
grant select on leaving_partitions to berth_api, berth_worker, berth_admin;
