-- An order with its items and its tasks, in one snapshot. read_at is the database's clock after any lock taken before was
-- granted.
select
    o.order_id, o.version, o.quote_id, o.revision_no, o.customer_id, o.state, o.currency, o.total, o.credited,
    o.content_hash, o.invoice_handoff, o.created_by, o.created_at, o.updated_at, o.completed_at,
    coalesce((
        select jsonb_agg(jsonb_build_object(
            'item_id', i.item_id, 'line_no', i.line_no, 'quote_item_id', i.quote_item_id,
            'offering_id', i.offering_id, 'external_id', i.external_id, 'name', i.name, 'stocked', i.stocked,
            'quantity', i.quantity::text, 'cancelled_quantity', i.cancelled_quantity::text, 'unit', i.unit::text,
            'amount', i.amount::text, 'price_type', i.price_type, 'period', i.period, 'state', i.state)
            order by i.line_no)
        from "order".order_item i
        where i.tenant_id = o.tenant_id and i.order_id = o.order_id
    ), '[]'::jsonb) as "items!: Json<Vec<ItemRow>>",
    coalesce((
        select jsonb_agg(jsonb_build_object(
            'task_id', t.task_id, 'order_id', t.order_id, 'kind', t.kind, 'cancellation_id', t.cancellation_id,
            'depends_on', t.depends_on, 'state', t.state, 'attempt', t.attempt, 'retries_left', t.retries_left,
            'error', t.error)
            order by array_position(array['reserve', 'provision', 'handoff', 'cancel'], t.kind), t.created_at)
        from "order".task t
        where t.tenant_id = o.tenant_id and t.order_id = o.order_id
    ), '[]'::jsonb) as "tasks!: Json<Vec<TaskRow>>",
    clock_timestamp() as "read_at!"
from "order".product_order o
where o.tenant_id = $1 and o.order_id = $2
