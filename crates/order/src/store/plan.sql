-- An order's plan as far as progress is concerned, in one snapshot. Of an error only whether there was one: its text stays
-- with the task.
select
    o.version, o.state,
    coalesce((
        select jsonb_agg(jsonb_build_object(
            'task_id', t.task_id, 'kind', t.kind, 'state', t.state, 'attempt', t.attempt,
            'failed', t.error is not null, 'since', t.updated_at)
            order by array_position(array['reserve', 'provision', 'handoff', 'cancel'], t.kind), t.created_at)
        from "order".task t
        where t.tenant_id = o.tenant_id and t.order_id = o.order_id
    ), '[]'::jsonb) as "tasks!: Json<Vec<PlannedTaskRow>>",
    clock_timestamp() as "read_at!"
from "order".product_order o
where o.tenant_id = $1 and o.order_id = $2
