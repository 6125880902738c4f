-- The order list: orders with the names of their customers, made from events (ADR 0021). No statement of a command reads it.
select platform.create_projections('order');

-- One row an order, from the order's own events.
create table "order".order_list (
    tenant_id text not null,
    build integer not null,
    order_id uuid not null,
    -- Of the order; an event of an older one changes nothing.
    version bigint not null check (version > 0),
    quote_id uuid not null,
    revision_no integer not null check (revision_no > 0),
    customer_id uuid,
    state text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    total numeric not null,
    credited numeric not null,
    invoice_handoff text not null,
    -- Told once, when the order is created; nothing where that event is missing.
    item_count integer,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    completed_at timestamptz,
    primary key (tenant_id, build, order_id)
);

create index order_list_by_state on "order".order_list (tenant_id, build, state, order_id desc);
create index order_list_by_customer on "order".order_list (tenant_id, build, customer_id, order_id desc);
create index order_list_by_day on "order".order_list (tenant_id, build, created_at);

-- One row a customer. Beside the orders and not in them: a customer and his first order come on different partitions at the
-- same moment, and a new name must not rewrite thousands of rows.
create table "order".order_list_customer (
    tenant_id text not null,
    build integer not null,
    customer_id uuid not null,
    version bigint not null check (version > 0),
    name text not null,
    primary key (tenant_id, build, customer_id)
);

create index order_list_customer_by_name on "order".order_list_customer (tenant_id, build, lower(name) text_pattern_ops);

select platform.isolate_tenant('"order".order_list');
select platform.isolate_tenant('"order".order_list_customer');
select platform.keep_projection('order', 'order-list', '"order".order_list');
select platform.keep_projection('order', 'order-list', '"order".order_list_customer');
