-- Puts a quote into the list, unless the list has this version or a newer one. An event about an older revision says
-- nothing of the current one, which stays as it is.
insert into quote.quote_list as listed (
    tenant_id, build, quote_id, version, external_id, state, customer_id, currency, level, created_at, updated_at, revision_no,
    revision_state, price_stale, content_hash, price_result_id, totals, valid_until, item_count)
select $1, coalesce($2, p.live_build), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19
from quote.projection p
where p.name = 'quote-list' for share
on conflict (tenant_id, build, quote_id) do update
set version = excluded.version, external_id = excluded.external_id, state = excluded.state,
    customer_id = excluded.customer_id, currency = excluded.currency, level = excluded.level,
    created_at = excluded.created_at, updated_at = excluded.updated_at,
    revision_no = greatest(excluded.revision_no, listed.revision_no),
    revision_state = case when excluded.revision_no < listed.revision_no then listed.revision_state else excluded.revision_state end,
    price_stale = case when excluded.revision_no < listed.revision_no then listed.price_stale else excluded.price_stale end,
    content_hash = case when excluded.revision_no < listed.revision_no then listed.content_hash else excluded.content_hash end,
    price_result_id = case when excluded.revision_no < listed.revision_no then listed.price_result_id else excluded.price_result_id end,
    totals = case when excluded.revision_no < listed.revision_no then listed.totals else excluded.totals end,
    valid_until = case when excluded.revision_no < listed.revision_no then listed.valid_until else excluded.valid_until end,
    item_count = case when excluded.revision_no < listed.revision_no then listed.item_count else excluded.item_count end
where listed.version < excluded.version
