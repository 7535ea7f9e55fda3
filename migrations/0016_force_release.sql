-- Machines that were given up with something of an allocation on them, perhaps.

alter table allocation_nodes add column unproved_at timestamptz;
comment on column allocation_nodes.unproved_at is 'Given up by an operator without a proof that nothing is left. The machine takes nobody until that is proved; then it is null again.';
create index allocation_nodes_unproved on allocation_nodes (node_id) where unproved_at is not null;
