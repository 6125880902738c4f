-- Installed products (TMF637): what a customer has after an order was fulfilled. Thin: created active, read by order.

create table inventory.installed_product (
    tenant_id text not null,
    installed_product_id uuid not null,
    order_id uuid not null,
    order_item_id text not null,
    offering_id uuid not null,
    name text not null,
    quantity numeric not null check (quantity > 0),
    status text not null check (status in ('active')),
    version bigint not null check (version > 0),
    created_at timestamptz not null default now(),
    primary key (tenant_id, installed_product_id),
    -- Fulfilment may report twice: an order item installs once.
    unique (tenant_id, order_id, order_item_id)
);

select platform.isolate_tenant('inventory.installed_product');
