insert into billing_runs (id, period, workflow_id, epoch, ended_at)
values (md5('bench-run' || $1::text)::uuid, tstzrange($1, $2), 'bench', (select epoch from usage_clock), clock_timestamp())
-- next
create temp table line on commit drop as
select uuid_v7() as id, org_id, project_id, sku, meter, price_id, price, used,
       half_even(used * price, 3600000000)::bigint as amount, first, last, records, digest
from (select r.org_id, r.project_id, r.sku, r.meter, p.id as price_id, p.amount_micros_per_hour as price,
             sum(r.quantity * microseconds(least(r.ended_at, $2) - greatest(r.started_at, $1))) as used,
             min(r.started_at) as first, max(r.ended_at) as last, count(*) as records,
             sha256(string_agg(uuid_send(r.id), ''::bytea order by r.id)) as digest
      from usage_records r join prices p on p.sku = r.sku and p.currency = 'USD' and p.effective @> r.started_at
      where r.started_at > $1::timestamptz - interval '24 hours' and r.started_at < $2 and r.ended_at > $1
      group by r.org_id, r.project_id, r.sku, r.meter, p.id, p.amount_micros_per_hour) as rated
-- next
create temp table bill on commit drop as
select org_id, uuid_v7() as invoice_id, uuid_v7() as transaction_id, sum(amount)::bigint as lines,
       (half_even(sum(amount), 10000) * 10000)::bigint as total
from line group by org_id
-- next
insert into ledger_transactions (id, org_id, kind, key) select transaction_id, org_id, 'charge', 'bench/' || org_id from bill
-- next
insert into invoices (id, org_id, number, kind, period, revision, currency, lines_micros, rounding_micros, total_micros, transaction_id, run_id)
select b.invoice_id, b.org_id, a.next_invoice_number, 'invoice', tstzrange($1, $2), 0, 'USD', lines, total - lines, total,
       transaction_id, md5('bench-run' || $1::text)::uuid
from bill b join billing_accounts a on a.org_id = b.org_id
-- next
update billing_accounts a set next_invoice_number = next_invoice_number + 1 from bill b where a.org_id = b.org_id
-- next
insert into invoice_lines (id, org_id, invoice_id, project_id, sku, meter, price_id, price_micros, gpu_microseconds,
                           amount_micros, used_from, used_to, record_count, record_digest)
select l.id, l.org_id, b.invoice_id, project_id, sku, meter, price_id, price, used, amount, first, last, records, digest
from line l join bill b on b.org_id = l.org_id
-- next
insert into ledger_entries (id, created_at, org_id, transaction_id, account, currency, amount_micros, invoice_line_id)
select id, uuid_v7_at(id), org_id, transaction_id, account, 'USD', amount, line_id
from (select uuid_v7() as id, e.* from (
        select org_id, transaction_id, 'receivable' as account, -total as amount, null::uuid as line_id from bill
        union all select org_id, transaction_id, 'rounding', total - lines, null from bill
        union all select l.org_id, b.transaction_id, 'revenue', l.amount, l.id from line l join bill b on b.org_id = l.org_id
      ) as e where amount <> 0) as numbered
-- next
insert into billing_claims (id, org_id, period, revision, epoch, run_id, invoice_id)
select uuid_v7(), org_id, tstzrange($1, $2), 0, (select epoch from usage_clock), md5('bench-run' || $1::text)::uuid, invoice_id from bill
