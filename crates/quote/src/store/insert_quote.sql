-- A new quote with its first draft, its lines and the first history rows, in one statement. Nothing is inserted when
-- another quote has the external id: then no row comes back.
with created as (
    insert into quote.quote (
        tenant_id, quote_id, version, external_id, state, customer_id, price_book_id, publication_id, currency, level,
        valid_for_days, current_revision_no, created_by, created_at, updated_at)
    values ($1, $2, 1, $3, 'open', $4, $5, $6, $7, $8, $9, 1, $10, $11, $11)
    on conflict (tenant_id, external_id) where external_id is not null do nothing
    returning tenant_id, quote_id
), drafted as (
    insert into quote.revision (
        tenant_id, quote_id, revision_no, state, editors, price_stale, created_at, updated_at)
    select tenant_id, quote_id, 1, 'draft', array[$10], true, $11, $11 from created
), lined as (
    insert into quote.item (
        tenant_id, quote_id, revision_no, item_id, line_no, offering_id, quantity, characteristics, adjustment)
    select c.tenant_id, c.quote_id, 1, i.item_id, i.line_no, i.offering_id, i.quantity, i.characteristics,
        nullif(i.adjustment, 'null'::jsonb)
    from created c, jsonb_to_recordset($12::jsonb) as i (
        item_id uuid, line_no integer, offering_id uuid, quantity numeric, characteristics jsonb, adjustment jsonb)
), recorded as (
    insert into quote.history (tenant_id, quote_id, version, revision_no, from_state, to_state, actor, at)
    select c.tenant_id, c.quote_id, 1, m.revision_no, '', m.to_state, $10, $11
    from created c, (values (0, 'open'), (1, 'draft')) as m (revision_no, to_state)
)
select quote_id from created
