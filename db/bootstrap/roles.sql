-- Roles of a Berth database, made once by a superuser (locally by `berth up`, elsewhere by the
-- database's owner). Logins and passwords are the installation's own business: grant these roles
-- to them, or give these roles LOGIN.
--
--   berth_owner   owns the schema; migrations and partition maintenance
--   berth_api     API and gateway; sees one organization per transaction, owns nothing
--   berth_worker  workers and relay; sees every organization
--   berth_admin   an operator's psql; reads every row, cannot change the audit log
do $$
declare
  wanted text;
begin
  foreach wanted in array array['berth_owner', 'berth_api', 'berth_worker', 'berth_admin'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      execute format('create role %I login nosuperuser nobypassrls nocreaterole nocreatedb', wanted);
    end if;
  end loop;
end $$;
