-- Price books: what an offering costs, in immutable numbered versions.
--
-- Every version keeps a full copy of its entries: a sealed price names (book, version) and must find the very rows it
-- was made from for as long as the evidence lives. Only pricing.price_book, the pointer to the active version, changes.

create schema if not exists pricing;

-- Evidence and versions are written once. The trigger also stops roles that own the table.
create function pricing.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of %.% are written once', tg_table_schema, tg_table_name using errcode = 'restrict_violation';
end
$$;

create table pricing.price_book (
    tenant_id text not null,
    id uuid not null,
    -- The id in the tenant's own system.
    external_id text not null check (length(external_id) between 1 and 100),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    -- The active version; counts the book's changes without a gap.
    version bigint not null check (version >= 1),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, external_id)
);

create table pricing.price_book_version (
    tenant_id text not null,
    price_book_id uuid not null,
    version bigint not null check (version >= 1),
    name text not null check (length(name) between 1 and 200),
    rounding text not null check (rounding in ('halfUp', 'halfEven')),
    -- SHA-256 over the canonical JSON of name, currency, rounding and the ordered entries.
    content_hash bytea not null check (octet_length(content_hash) = 32),
    entry_count integer not null check (entry_count >= 0),
    created_at timestamptz not null default now(),
    created_by text not null,
    primary key (tenant_id, price_book_id, version),
    foreign key (tenant_id, price_book_id) references pricing.price_book (tenant_id, id)
);

create table pricing.price_book_entry (
    tenant_id text not null,
    price_book_id uuid not null,
    version bigint not null,
    -- The position in the book's canonical order: offering, kind of charge, period, validity.
    ordinal integer not null check (ordinal >= 0),
    offering_id uuid not null,
    price_type text not null check (price_type in ('oneTime', 'recurring', 'usage')),
    period_unit text check (period_unit in ('day', 'week', 'month', 'year')),
    period_length smallint check (period_length >= 1),
    model text not null check (model in ('volume', 'graduated', 'block', 'package')),
    package_size numeric check (package_size > 0),
    -- [{upTo, unitPrice, flat}] with decimals as text, ascending, the last without upTo.
    tiers jsonb not null check (jsonb_array_length(tiers) between 1 and 100),
    valid_from timestamptz,
    valid_to timestamptz check (valid_to > valid_from),
    primary key (tenant_id, price_book_id, version, ordinal),
    foreign key (tenant_id, price_book_id, version)
        references pricing.price_book_version (tenant_id, price_book_id, version),
    check ((price_type = 'recurring') = (period_unit is not null)),
    check ((period_unit is null) = (period_length is null)),
    check ((model = 'package') = (package_size is not null))
);

-- A final price reads just the offerings it asks for.
create index price_book_entry_offering
    on pricing.price_book_entry (tenant_id, price_book_id, version, offering_id, ordinal);

create trigger written_once before update or delete on pricing.price_book_version
    for each row execute function pricing.refuse_change();
create trigger written_once before update or delete on pricing.price_book_entry
    for each row execute function pricing.refuse_change();

select platform.isolate_tenant('pricing.price_book');
select platform.isolate_tenant('pricing.price_book_version');
select platform.isolate_tenant('pricing.price_book_entry');
