-- Writes the container and one revision back and records the moves, if the quote still is in the version that was read.
with bumped as (
    update quote.quote
    set version = version + 1, state = $4, current_revision_no = $5, publication_id = $6, updated_at = $7
    where tenant_id = $1 and quote_id = $2 and version = $3
    returning 1
), revised as (
    update quote.revision
    set state = $9, editors = $10, price_stale = $11, price_result_id = $12, price_hash = $13, totals = $14,
        approval_inputs = $15, content_hash = $16, valid_until = $17, updated_at = $7
    where tenant_id = $1 and quote_id = $2 and revision_no = $8
    returning 1
), recorded as (
    insert into quote.history (tenant_id, quote_id, version, revision_no, from_state, to_state, actor, reason, at)
    select $1, $2, $3 + 1, m.revision_no, m.from_state, m.to_state, $18, $19, $7
    from unnest($20::integer[], $21::text[], $22::text[]) as m (revision_no, from_state, to_state)
)
select (select count(*) from bumped) as "quotes!", (select count(*) from revised) as "revisions!"
