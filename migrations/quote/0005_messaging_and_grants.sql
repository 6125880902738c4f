-- Outbox, consumer positions and idempotency records, then who may do what.
select platform.create_messaging('quote');
select platform.create_idempotency('quote');
select platform.grant_service('quote');

-- The expiry worker looks for overdue offers over all tenants; it sees no other row without a tenant set.
create policy expiry_finds_overdue_offers on quote.revision
    for select to quote_work
    using (state = 'presented' and valid_until < clock_timestamp());

-- Facts are written once, and the state machines change only by migration.
revoke update, delete on quote.acceptance, quote.history from quote_serve, quote_work;
revoke insert, update, delete on quote.state_transition from quote_serve, quote_work;
