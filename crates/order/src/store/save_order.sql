-- Writes the order and its items back as one new version, if it still is in the version that was read; records the move.
with bumped as (
    update "order".product_order
    set version = version + 1, state = $4, credited = $5, invoice_handoff = $6, completed_at = $7, updated_at = $8
    where tenant_id = $1 and order_id = $2 and version = $3
    returning 1
), moved as (
    update "order".order_item t
    set state = i.state, cancelled_quantity = i.cancelled_quantity
    from jsonb_to_recordset($9::jsonb) as i (item_id uuid, state text, cancelled_quantity numeric)
    where t.tenant_id = $1 and t.order_id = $2 and t.item_id = i.item_id
        and (t.state, t.cancelled_quantity) is distinct from (i.state, i.cancelled_quantity)
), recorded as (
    insert into "order".history (tenant_id, order_id, version, from_state, to_state, actor, reason, at)
    select $1, $2, $3 + 1, $10::text, $4, $11, $12, $8
    where $10::text <> $4
)
select count(*) as "orders!" from bumped
