-- The working copy as publication sees it: what is active or launched, with specification and prices.
-- One statement, because at read committed each statement has its own snapshot: two could freeze halves of an edit.
select
    offering.offering_id,
    offering.external_id,
    offering.specification_id,
    offering.name,
    offering.description,
    offering.category,
    offering.kind,
    offering.stocked,
    offering.components,
    offering.lifecycle_status,
    offering.version,
    offering.created_at,
    offering.updated_at,
    specification.lifecycle_status as "specification_status?",
    specification.characteristics as "characteristics?",
    coalesce(prices.list, '[]') as "prices!"
from catalog.offering
left join catalog.specification
    on specification.tenant_id = offering.tenant_id
    and specification.specification_id = offering.specification_id
left join lateral (
    select jsonb_agg(jsonb_build_object(
        'id', price.price_id,
        'offeringId', price.offering_id,
        'priceType', price.price_type,
        'period', case when price.period_unit is not null
            then jsonb_build_object('unit', price.period_unit, 'length', price.period_length) end,
        'amount', case when price.amount is not null
            then jsonb_build_object('amount', price.amount::text, 'currency', price.currency) end,
        'unitOfMeasure', price.unit_of_measure,
        'lifecycleStatus', price.lifecycle_status,
        'version', price.version,
        'createdAt', price.created_at,
        'updatedAt', price.updated_at)) as list
    from catalog.price
    where price.tenant_id = offering.tenant_id
        and price.offering_id = offering.offering_id
        and price.lifecycle_status in ('active', 'launched')
) as prices on true
where offering.tenant_id = $1 and offering.lifecycle_status in ('active', 'launched')
limit $2
