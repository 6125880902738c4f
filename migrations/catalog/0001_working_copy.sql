-- The working copy of a tenant's catalog: specifications, offerings and prices as separate aggregates.
-- Drafts are lenient: a reference to a specification or a component may point nowhere until publication checks it,
-- which is why those columns carry no foreign key.

-- The life of a specification, an offering or a price, one row a legal step. The Rust table in catalog::rules
-- says the same; a test compares the two.
create table catalog.lifecycle_transition (
    from_status text not null,
    to_status text not null,
    primary key (from_status, to_status)
);
insert into catalog.lifecycle_transition (from_status, to_status) values
    ('inStudy', 'inDesign'),
    ('inDesign', 'inTest'),
    ('inTest', 'inDesign'),
    ('inTest', 'active'),
    ('active', 'launched'),
    ('active', 'retired'),
    ('launched', 'retired'),
    ('retired', 'active'),
    ('retired', 'obsolete');

create table catalog.specification (
    tenant_id text not null,
    specification_id uuid not null,
    external_id text,
    name text not null,
    description text,
    characteristics jsonb not null check (jsonb_typeof(characteristics) = 'array'),
    lifecycle_status text not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, specification_id),
    constraint specification_status_is_known check (
        lifecycle_status in ('inStudy', 'inDesign', 'inTest', 'active', 'launched', 'retired', 'obsolete'))
);
create unique index specification_external_id on catalog.specification (tenant_id, external_id)
    where external_id is not null;

create table catalog.offering (
    tenant_id text not null,
    offering_id uuid not null,
    external_id text,
    specification_id uuid,
    name text not null,
    description text,
    category text,
    kind text not null check (kind in ('simple', 'bundle')),
    stocked boolean not null,
    -- [{"offeringId", "min", "max", "default"}]: belongs to the offering, changes with its version.
    components jsonb not null check (jsonb_typeof(components) = 'array'),
    lifecycle_status text not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, offering_id),
    constraint offering_status_is_known check (
        lifecycle_status in ('inStudy', 'inDesign', 'inTest', 'active', 'launched', 'retired', 'obsolete'))
);
create unique index offering_external_id on catalog.offering (tenant_id, external_id)
    where external_id is not null;

create table catalog.price (
    tenant_id text not null,
    price_id uuid not null,
    offering_id uuid not null,
    price_type text not null check (price_type in ('oneTime', 'recurring', 'usage')),
    period_unit text check (period_unit in ('day', 'week', 'month', 'year')),
    period_length smallint check (period_length > 0),
    -- Amount and currency may be missing in a draft; publication refuses them.
    amount numeric,
    currency text,
    unit_of_measure text,
    lifecycle_status text not null,
    version bigint not null check (version > 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, price_id),
    foreign key (tenant_id, offering_id) references catalog.offering (tenant_id, offering_id),
    constraint price_period_is_whole check ((period_unit is null) = (period_length is null)),
    constraint price_recurs_iff_period check ((price_type = 'recurring') = (period_unit is not null)),
    constraint price_status_is_known check (
        lifecycle_status in ('inStudy', 'inDesign', 'inTest', 'active', 'launched', 'retired', 'obsolete'))
);
create index price_by_offering on catalog.price (tenant_id, offering_id);

-- Who moved what from where to where. The foreign key refuses a step that the state machine does not have;
-- creation has no from_status, and a foreign key with a null column is not checked.
create table catalog.lifecycle_history (
    tenant_id text not null,
    aggregate_type text not null check (aggregate_type in ('specification', 'offering', 'price')),
    aggregate_id uuid not null,
    version bigint not null,
    from_status text,
    to_status text not null,
    actor text not null,
    changed_at timestamptz not null default now(),
    primary key (tenant_id, aggregate_type, aggregate_id, version),
    foreign key (from_status, to_status) references catalog.lifecycle_transition (from_status, to_status)
);

select platform.isolate_tenant('catalog.specification');
select platform.isolate_tenant('catalog.offering');
select platform.isolate_tenant('catalog.price');
select platform.isolate_tenant('catalog.lifecycle_history');
