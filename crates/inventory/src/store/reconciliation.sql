-- Shelves whose stock is not the sum of their movements, or whose promises are not the sum of what is held.
with moved as (
    select product_id, location, sum(quantity) as quantity
    from inventory.movement
    where tenant_id = $1
    group by product_id, location
),
held as (
    select item.product_id, item.location, sum(item.quantity) as quantity
    from inventory.reservation_item item
    join inventory.reservation reservation using (tenant_id, reservation_id)
    where item.tenant_id = $1 and reservation.state = 'held'
    group by item.product_id, item.location
)
select
    level.product_id,
    level.location,
    level.on_hand,
    coalesce(moved.quantity, 0) as "moved!",
    level.reserved,
    coalesce(held.quantity, 0) as "held!"
from inventory.stock_level level
left join moved using (product_id, location)
left join held using (product_id, location)
where level.tenant_id = $1
  and (level.on_hand <> coalesce(moved.quantity, 0) or level.reserved <> coalesce(held.quantity, 0))
order by level.product_id, level.location
limit $2
