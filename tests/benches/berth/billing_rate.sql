select count(*) from (
  select r.org_id, r.project_id, r.sku, p.id, sum(r.quantity * microseconds(r.ended_at - r.started_at)) as used
  from usage_records r join prices p on p.sku = r.sku and p.currency = 'USD' and p.effective @> r.started_at
  where r.started_at >= $1 and r.started_at < $2
  group by r.org_id, r.project_id, r.sku, p.id
) as rated
