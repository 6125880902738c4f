-- Outbox, consumer positions and idempotency records, then who may do what.
select platform.create_messaging('order');
select platform.create_idempotency('order');
select platform.grant_service('order');

-- The runner looks for tenants with open tasks; it sees no other row without a tenant set, and claims within one tenant.
create policy runner_finds_open_tasks on "order".task
    for select to order_work
    using (state in ('ready', 'retryWait', 'locked'));

-- Facts are written once, and the state machines change only by migration.
revoke update, delete on "order".history, "order".invoice_handoff from order_serve, order_work;
revoke insert, update, delete on "order".state_transition from order_serve, order_work;
