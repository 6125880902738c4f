-- One row a component; the position in the arrays is the position in the result.
insert into pricing.price_component
    (tenant_id, price_result_id, position, item_id, offering_id, quantity, price_type, period_unit, period_length,
     list_unit, unit, unit_rounded, list_amount, document_discount, amount, discount_percent, overridden, custom,
     rate_card, steps)
select $1, $2, (c.ordinality - 1)::integer, c.item_id, c.offering_id, c.quantity, c.price_type, c.period_unit,
       c.period_length, c.list_unit, c.unit, c.unit_rounded, c.list_amount, c.document_discount, c.amount,
       c.discount_percent, c.overridden, c.custom, c.rate_card, c.steps
from unnest($3::text[], $4::uuid[], $5::numeric[], $6::text[], $7::text[], $8::smallint[], $9::numeric[],
            $10::numeric[], $11::boolean[], $12::numeric[], $13::numeric[], $14::numeric[], $15::numeric[],
            $16::boolean[], $17::boolean[], $18::jsonb[], $19::jsonb[]) with ordinality
     as c (item_id, offering_id, quantity, price_type, period_unit, period_length, list_unit, unit, unit_rounded,
           list_amount, document_discount, amount, discount_percent, overridden, custom, rate_card, steps, ordinality)
