-- A quote with one revision, its lines and the revision's latest request for approval, in one snapshot.
-- read_at is the database's clock after any lock taken before was granted: it decides whether an offer still stands.
select
    q.quote_id, q.version, q.external_id, q.state, q.customer_id, q.price_book_id, q.publication_id, q.currency, q.level,
    q.valid_for_days, q.current_revision_no, q.created_by, q.created_at, q.updated_at,
    r.revision_no, r.state as revision_state, r.editors, r.price_stale, r.price_result_id, r.price_hash,
    r.totals as "totals: Json<QuoteTotals>", r.approval_inputs as "approval_inputs: Json<ApprovalInputs>",
    r.content_hash, r.valid_until, r.created_at as revision_created_at,
    a.approval_id as "approval_id?", a.state as "approval_state?", a.content_hash as "approval_content_hash?",
    a.reasons as "approval_reasons?: Json<Vec<ApprovalReason>>", a.requested_by as "requested_by?",
    a.requested_at as "requested_at?", a.decided_by, a.decided_at, a.comment,
    coalesce((
        select jsonb_agg(jsonb_build_object(
            'item_id', i.item_id, 'line_no', i.line_no, 'offering_id', i.offering_id, 'external_id', i.external_id,
            'name', i.name, 'stocked', i.stocked, 'quantity', i.quantity::text, 'characteristics', i.characteristics,
            'adjustment', i.adjustment, 'charges', i.charges, 'amount', i.amount::text) order by i.line_no, i.item_id)
        from quote.item i
        where i.tenant_id = q.tenant_id and i.quote_id = q.quote_id and i.revision_no = r.revision_no
    ), '[]'::jsonb) as "items!: Json<Vec<ItemRow>>",
    clock_timestamp() as "read_at!"
from quote.quote q
join quote.revision r
    on r.tenant_id = q.tenant_id and r.quote_id = q.quote_id and r.revision_no = coalesce($3, q.current_revision_no)
left join lateral (
    select approval_id, state, content_hash, reasons, requested_by, requested_at, decided_by, decided_at, comment
    from quote.approval
    where tenant_id = r.tenant_id and quote_id = r.quote_id and revision_no = r.revision_no
    order by requested_at desc, approval_id desc
    limit 1
) a on true
where q.tenant_id = $1 and q.quote_id = $2
