-- One page of the quote list, newest quote first. A quote has at most one order; should it have more, the newest is shown.
select l.quote_id, l.version, l.external_id, l.state, l.customer_id, l.currency, l.level, l.created_at, l.updated_at,
    l.revision_no, l.revision_state, l.price_stale, l.content_hash, l.price_result_id,
    l.totals as "totals: Json<crate::model::QuoteTotals>", l.valid_until, l.item_count,
    c.name as "customer_name?", o.order_id as "order_id?", o.state as "order_state?"
from quote.quote_list l
left join quote.quote_list_customer c
    on c.tenant_id = l.tenant_id and c.build = l.build and c.customer_id = l.customer_id
left join lateral (
    select order_id, state from quote.quote_list_order
    where tenant_id = l.tenant_id and build = l.build and quote_id = l.quote_id
    order by order_id desc
    limit 1) o on true
where l.tenant_id = $1 and l.build = (select p.live_build from quote.projection p where p.name = 'quote-list')
    and ($2::text is null or l.state = $2)
    and ($3::uuid is null or l.customer_id = $3)
    and ($4::text is null or lower(c.name) like lower($4))
    and ($5::timestamptz is null or l.created_at >= $5)
    and ($6::timestamptz is null or l.created_at < $6)
    and ($7::uuid is null or l.quote_id < $7)
order by l.quote_id desc
limit $8
