-- A product order (TMF622), made from an accepted quote revision. Its row carries the version of the whole aggregate and
-- is locked by every command; items, tasks and cancellations need no lock of their own.
create table "order".product_order (
    tenant_id text not null,
    order_id uuid not null,
    version bigint not null check (version > 0),
    quote_id uuid not null,
    revision_no integer not null check (revision_no > 0),
    customer_id uuid,
    state text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    total numeric not null,
    -- The sum of all credits: the exact negative of what was cancelled.
    credited numeric not null default 0,
    -- The hash of the content the customer accepted.
    content_hash bytea not null check (octet_length(content_hash) = 32),
    invoice_handoff text not null check (invoice_handoff in ('pending', 'requested', 'none')),
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    completed_at timestamptz,
    primary key (tenant_id, order_id),
    constraint one_order_per_accepted_revision unique (tenant_id, quote_id, revision_no),
    constraint never_credited_more_than_ordered check (credited <= 0 and total + credited >= 0),
    constraint completed_iff_it_has_a_date check ((state = 'completed') = (completed_at is not null))
);

create index product_order_by_state on "order".product_order (tenant_id, state, order_id desc);

create trigger order_version before update on "order".product_order
    for each row execute function "order".check_version();
create trigger order_created before insert on "order".product_order
    for each row execute function "order".check_transition('order');
create trigger order_moved before update on "order".product_order
    for each row when (old.state is distinct from new.state) execute function "order".check_transition('order');

-- One line of an order. The unique key is the second guarantee that a quote item is ordered once.
create table "order".order_item (
    tenant_id text not null,
    order_id uuid not null,
    item_id uuid not null,
    line_no integer not null check (line_no > 0),
    quote_item_id uuid not null,
    offering_id uuid not null,
    external_id text,
    name text,
    stocked boolean not null,
    quantity numeric not null check (quantity > 0),
    cancelled_quantity numeric not null default 0,
    unit numeric not null,
    amount numeric not null,
    price_type text not null,
    period jsonb,
    state text not null,
    primary key (tenant_id, order_id, item_id),
    unique (tenant_id, order_id, quote_item_id),
    foreign key (tenant_id, order_id) references "order".product_order (tenant_id, order_id),
    constraint never_cancelled_more_than_ordered check (cancelled_quantity between 0 and quantity)
);

create trigger item_created before insert on "order".order_item
    for each row execute function "order".check_transition('item');
create trigger item_moved before update on "order".order_item
    for each row when (old.state is distinct from new.state) execute function "order".check_transition('item');

-- Who moved the order, when and why.
create table "order".history (
    tenant_id text not null,
    order_id uuid not null,
    version bigint not null,
    from_state text not null,
    to_state text not null,
    actor text not null,
    reason text,
    at timestamptz not null,
    primary key (tenant_id, order_id, version)
);

-- What the billing system was asked to invoice. Written once per order by the hand-off task.
create table "order".invoice_handoff (
    tenant_id text not null,
    order_id uuid not null,
    task_id uuid not null,
    amount numeric not null,
    currency text not null,
    requested_at timestamptz not null,
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references "order".product_order (tenant_id, order_id)
);

select platform.isolate_tenant('"order".product_order');
select platform.isolate_tenant('"order".order_item');
select platform.isolate_tenant('"order".history');
select platform.isolate_tenant('"order".invoice_handoff');
