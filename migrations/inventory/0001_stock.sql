-- Stock: what is present and promised, per product and location, and the movements that explain it.

-- The aggregate: one row a product. Its version counts every change at any location; every writer locks this row
-- first (in order of product), so the levels below need no lock of their own and batches cannot deadlock.
create table inventory.product_stock (
    tenant_id text not null,
    product_id uuid not null,
    external_id text,
    -- 0 only inside the transaction that declares the product; its first movement makes it 1.
    version bigint not null check (version >= 0),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, product_id)
);
create unique index product_stock_external_id on inventory.product_stock (tenant_id, external_id)
    where external_id is not null;

create table inventory.stock_level (
    tenant_id text not null,
    product_id uuid not null,
    location text not null,
    on_hand numeric not null,
    reserved numeric not null default 0,
    primary key (tenant_id, product_id, location),
    foreign key (tenant_id, product_id) references inventory.product_stock (tenant_id, product_id),
    -- The last line of defence against overselling: no statement, right or wrong, can promise what is not there.
    constraint reserved_within_on_hand check (reserved >= 0 and reserved <= on_hand)
);

-- Every change of on_hand: on_hand = sum of quantity, always. Append-only.
create table inventory.movement (
    tenant_id text not null,
    movement_id uuid not null,
    product_id uuid not null,
    location text not null,
    kind text not null check (kind in ('opening', 'receipt', 'adjustment', 'return', 'issue')),
    -- Signed: what on_hand grew by.
    quantity numeric not null check (quantity <> 0 or kind = 'opening'),
    reference text not null,
    -- The product's version after this movement.
    product_version bigint not null,
    actor text not null,
    occurred_at timestamptz not null default now(),
    primary key (tenant_id, movement_id),
    -- The same reference moves the same stock once.
    unique (tenant_id, kind, reference, product_id, location),
    foreign key (tenant_id, product_id, location)
        references inventory.stock_level (tenant_id, product_id, location),
    constraint issue_takes_out check (kind <> 'issue' or quantity < 0),
    constraint inbound_puts_in check (kind not in ('opening', 'receipt', 'return') or quantity >= 0)
);
create index movement_by_product on inventory.movement (tenant_id, product_id, movement_id);

select platform.isolate_tenant('inventory.product_stock');
select platform.isolate_tenant('inventory.stock_level');
select platform.isolate_tenant('inventory.movement');
