-- The plan of an order, and cancellations as task resources. A task row is claimed with a lease; its attempt number is the
-- fencing token: a worker that lost its lease cannot record a result.
create table "order".task (
    tenant_id text not null,
    task_id uuid not null,
    order_id uuid not null,
    kind text not null check (kind in ('reserve', 'provision', 'handoff', 'cancel')),
    cancellation_id uuid,
    depends_on uuid[] not null,
    state text not null,
    attempt integer not null default 0,
    retries_left integer not null,
    run_after timestamptz not null,
    lease_until timestamptz,
    locked_by text,
    error text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, task_id),
    foreign key (tenant_id, order_id) references "order".product_order (tenant_id, order_id),
    constraint a_lock_has_a_lease check ((state = 'locked') = (lease_until is not null)),
    constraint only_a_cancel_task_has_a_cancellation check ((kind = 'cancel') = (cancellation_id is not null))
);

create index task_of_order on "order".task (tenant_id, order_id);
-- The runner's queue: small, because finished tasks leave it.
create index task_due on "order".task (run_after) where state in ('ready', 'retryWait', 'locked');

create trigger task_created before insert on "order".task
    for each row execute function "order".check_transition('task');
create trigger task_moved before update on "order".task
    for each row when (old.state is distinct from new.state) execute function "order".check_transition('task');

create table "order".cancellation (
    tenant_id text not null,
    cancellation_id uuid not null,
    order_id uuid not null,
    -- The id in the tenant's own system: a repeated request finds the first, however late it comes.
    external_id text,
    state text not null,
    reason text not null,
    -- The whole rest of the order, or some of its quantities.
    whole boolean not null,
    currency text not null,
    credit numeric not null check (credit <= 0),
    error text,
    requested_by text not null,
    requested_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, cancellation_id),
    foreign key (tenant_id, order_id) references "order".product_order (tenant_id, order_id)
);

create index cancellation_of_order on "order".cancellation (tenant_id, order_id);
create unique index cancellation_external_id on "order".cancellation (tenant_id, order_id, external_id)
    where external_id is not null;
create unique index cancellation_one_whole on "order".cancellation (tenant_id, order_id)
    where whole and state <> 'terminatedWithError';

create trigger cancellation_created before insert on "order".cancellation
    for each row execute function "order".check_transition('cancellation');
create trigger cancellation_moved before update on "order".cancellation
    for each row when (old.state is distinct from new.state) execute function "order".check_transition('cancellation');

create table "order".cancellation_item (
    tenant_id text not null,
    cancellation_id uuid not null,
    item_id uuid not null,
    order_id uuid not null,
    quantity numeric not null check (quantity > 0),
    credit numeric not null check (credit <= 0),
    primary key (tenant_id, cancellation_id, item_id),
    foreign key (tenant_id, cancellation_id) references "order".cancellation (tenant_id, cancellation_id),
    foreign key (tenant_id, order_id, item_id) references "order".order_item (tenant_id, order_id, item_id)
);

select platform.isolate_tenant('"order".task');
select platform.isolate_tenant('"order".cancellation');
select platform.isolate_tenant('"order".cancellation_item');
