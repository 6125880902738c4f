-- A new order with its items, its plan and the first history row, in one statement. Nothing is inserted when the accepted
-- revision has an order already: then no row comes back.
with created as (
    insert into "order".product_order (
        tenant_id, order_id, version, quote_id, revision_no, customer_id, state, currency, total, content_hash,
        invoice_handoff, created_by, created_at, updated_at)
    values ($1, $2, 1, $3, $4, $5, 'acknowledged', $6, $7, $8, 'pending', $9, $10, $10)
    on conflict on constraint one_order_per_accepted_revision do nothing
    returning tenant_id, order_id
), itemised as (
    insert into "order".order_item (
        tenant_id, order_id, item_id, line_no, quote_item_id, offering_id, external_id, name, stocked, quantity, unit,
        amount, price_type, period, state)
    select c.tenant_id, c.order_id, i.item_id, i.line_no, i.quote_item_id, i.offering_id, i.external_id, i.name,
        i.stocked, i.quantity, i.unit, i.amount, i.price_type, nullif(i.period, 'null'::jsonb), 'acknowledged'
    from created c, jsonb_to_recordset($11::jsonb) as i (
        item_id uuid, line_no integer, quote_item_id uuid, offering_id uuid, external_id text, name text,
        stocked boolean, quantity numeric, unit numeric, amount numeric, price_type text, period jsonb)
), planned as (
    insert into "order".task (
        tenant_id, task_id, order_id, kind, depends_on, state, retries_left, run_after, created_at, updated_at)
    select c.tenant_id, t.task_id, c.order_id, t.kind, t.depends_on, t.state, t.retries_left, $10, $10, $10
    from created c, jsonb_to_recordset($12::jsonb) as t (
        task_id uuid, kind text, depends_on uuid[], state text, retries_left integer)
), recorded as (
    insert into "order".history (tenant_id, order_id, version, from_state, to_state, actor, at)
    select tenant_id, order_id, 1, '', 'acknowledged', $9, $10 from created
)
select order_id from created
