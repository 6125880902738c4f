-- Sealed final prices: what was asked, what the engine answered, step by step, and the hash chain over all of it.
--
-- Rows are written once. Numbers stand in columns and in the trace; the hashes cover both, so that a changed digit is
-- found and named by replaying the price.

create table pricing.price_result (
    tenant_id text not null,
    id uuid not null,
    quote_id uuid not null,
    revision_no integer not null check (revision_no >= 1),
    price_book_id uuid not null,
    price_book_version bigint not null,
    engine_version text not null,
    -- The database's time at which validity was decided; the seal covers it.
    priced_at timestamptz not null,
    -- The request, the pinned price book, and the hash of the entries used.
    input jsonb not null,
    input_hash bytea not null check (octet_length(input_hash) = 32),
    totals jsonb not null,
    approval_inputs jsonb not null,
    -- Rounding evidence of the document discount (R2), one element a group of charges.
    document_discounts jsonb not null,
    warnings jsonb not null,
    result_hash bytea not null check (octet_length(result_hash) = 32),
    sealed_by text not null,
    primary key (tenant_id, id),
    -- The same inputs for the same revision are one price, however often they are sent.
    unique (tenant_id, quote_id, revision_no, input_hash),
    foreign key (tenant_id, price_book_id, price_book_version)
        references pricing.price_book_version (tenant_id, price_book_id, version)
);

-- One charge of one item, with its waterfall.
create table pricing.price_component (
    tenant_id text not null,
    price_result_id uuid not null,
    position integer not null check (position >= 0),
    item_id text not null,
    offering_id uuid not null,
    quantity numeric not null check (quantity >= 0),
    price_type text not null check (price_type in ('oneTime', 'recurring', 'usage')),
    period_unit text check (period_unit in ('day', 'week', 'month', 'year')),
    period_length smallint check (period_length >= 1),
    list_unit numeric not null,
    unit numeric not null,
    unit_rounded boolean not null,
    list_amount numeric not null,
    document_discount numeric not null,
    amount numeric not null,
    discount_percent numeric not null,
    overridden boolean not null,
    custom boolean not null,
    rate_card jsonb,
    -- [{step, rule, input, output, reason}] in waterfall order; rounding steps are R1 and R2.
    steps jsonb not null,
    primary key (tenant_id, price_result_id, position),
    foreign key (tenant_id, price_result_id) references pricing.price_result (tenant_id, id)
);

-- The head of each tenant's chain: locked last in a sealing transaction, and only for one statement and the commit.
create table pricing.evidence_chain (
    tenant_id text not null,
    length bigint not null check (length >= 1),
    previous_hash bytea not null check (octet_length(previous_hash) = 32),
    head_hash bytea not null check (octet_length(head_hash) = 32),
    primary key (tenant_id)
);

-- One link a sealed price: chain_hash = SHA-256(previous_hash || seal_hash); the first previous_hash is 32 zero bytes.
create table pricing.price_seal (
    tenant_id text not null,
    chain_no bigint not null check (chain_no >= 1),
    price_result_id uuid not null,
    seal_hash bytea not null check (octet_length(seal_hash) = 32),
    previous_hash bytea not null check (octet_length(previous_hash) = 32),
    chain_hash bytea not null check (octet_length(chain_hash) = 32),
    primary key (tenant_id, chain_no),
    unique (tenant_id, price_result_id),
    foreign key (tenant_id, price_result_id) references pricing.price_result (tenant_id, id)
);

create trigger written_once before update or delete on pricing.price_result
    for each row execute function pricing.refuse_change();
create trigger written_once before update or delete on pricing.price_component
    for each row execute function pricing.refuse_change();
create trigger written_once before update or delete on pricing.price_seal
    for each row execute function pricing.refuse_change();

select platform.isolate_tenant('pricing.price_result');
select platform.isolate_tenant('pricing.price_component');
select platform.isolate_tenant('pricing.evidence_chain');
select platform.isolate_tenant('pricing.price_seal');
