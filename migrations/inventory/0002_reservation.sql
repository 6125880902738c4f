-- Reservations: stock promised to one reference (an order) until committed, released or expired.

create table inventory.reservation_transition (
    from_state text not null,
    to_state text not null,
    primary key (from_state, to_state)
);
insert into inventory.reservation_transition (from_state, to_state) values
    ('held', 'committed'),
    ('held', 'released'),
    ('held', 'expired'),
    -- A late commit: allowed when the stock is still there.
    ('expired', 'committed');

create table inventory.reservation (
    tenant_id text not null,
    reservation_id uuid not null,
    reference text not null,
    state text not null check (state in ('held', 'committed', 'released', 'expired')),
    -- Recognises a repeated request: same reference, same items.
    items_hash text not null check (length(items_hash) = 64),
    expires_at timestamptz not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null default now(),
    primary key (tenant_id, reservation_id)
);
-- One living reservation a reference; after a release or an expiry the reference may reserve again.
create unique index reservation_reference on inventory.reservation (tenant_id, reference)
    where state in ('held', 'committed');
create index reservation_due on inventory.reservation (expires_at) where state = 'held';

create table inventory.reservation_item (
    tenant_id text not null,
    reservation_id uuid not null,
    item_id text not null,
    product_id uuid not null,
    location text not null,
    quantity numeric not null check (quantity > 0),
    primary key (tenant_id, reservation_id, item_id),
    foreign key (tenant_id, reservation_id) references inventory.reservation (tenant_id, reservation_id),
    foreign key (tenant_id, product_id, location)
        references inventory.stock_level (tenant_id, product_id, location)
);
create index reservation_item_by_product on inventory.reservation_item (tenant_id, product_id, location);

create table inventory.reservation_history (
    tenant_id text not null,
    reservation_id uuid not null,
    version bigint not null,
    from_state text,
    to_state text not null,
    actor text not null,
    changed_at timestamptz not null default now(),
    primary key (tenant_id, reservation_id, version),
    foreign key (from_state, to_state) references inventory.reservation_transition (from_state, to_state)
);

select platform.isolate_tenant('inventory.reservation');
select platform.isolate_tenant('inventory.reservation_item');
select platform.isolate_tenant('inventory.reservation_history');
