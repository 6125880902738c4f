-- Outbox, consumer positions and idempotency records of inventory, then the service's rights on everything above.

select platform.create_messaging('inventory');
select platform.create_idempotency('inventory');
select platform.grant_service('inventory');

-- History is written once.
revoke update, delete on inventory.movement, inventory.reservation_item, inventory.reservation_history
    from inventory_serve, inventory_work;
revoke insert, update, delete on inventory.reservation_transition from inventory_serve, inventory_work;

-- The expiry worker must find due reservations of every tenant; it may look at held ones across tenants, and
-- changes them only with that tenant set, like everyone else.
create policy expiry_scan on inventory.reservation for select to inventory_work using (state = 'held');
