-- Tenants are told before their lease ends.

alter table allocations add column lease_warned_seconds integer
  constraint allocations_lease_warned_positive check (lease_warned_seconds > 0);
comment on column allocations.lease_warned_seconds is 'The nearest warning that was given for this end of the lease, as its distance from the end; null: none, or the lease was extended since.';
