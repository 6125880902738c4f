-- The quote list: quotes with the names of their customers and the states of their orders, made from events (ADR 0021). No
-- statement of a command reads it.
select platform.create_projections('quote');

-- One row a quote with its current revision, from the quote's own events.
create table quote.quote_list (
    tenant_id text not null,
    build integer not null,
    quote_id uuid not null,
    -- Of the quote; an event of an older one changes nothing.
    version bigint not null check (version > 0),
    external_id text,
    state text not null,
    customer_id uuid,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    level text not null,
    revision_no integer not null check (revision_no > 0),
    revision_state text not null,
    price_stale boolean not null,
    content_hash bytea,
    price_result_id uuid,
    totals jsonb,
    valid_until timestamptz,
    item_count bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, build, quote_id)
);

create index quote_list_by_state on quote.quote_list (tenant_id, build, state, quote_id desc);
create index quote_list_by_customer on quote.quote_list (tenant_id, build, customer_id, quote_id desc);
create index quote_list_by_day on quote.quote_list (tenant_id, build, created_at);

-- One row a customer, beside the quotes for the reasons the order list gives.
create table quote.quote_list_customer (
    tenant_id text not null,
    build integer not null,
    customer_id uuid not null,
    version bigint not null check (version > 0),
    name text not null,
    primary key (tenant_id, build, customer_id)
);

create index quote_list_customer_by_name on quote.quote_list_customer (tenant_id, build, lower(name) text_pattern_ops);

-- One row an order of a quote, from the order service's events.
create table quote.quote_list_order (
    tenant_id text not null,
    build integer not null,
    order_id uuid not null,
    version bigint not null check (version > 0),
    quote_id uuid not null,
    state text not null,
    primary key (tenant_id, build, order_id)
);

create index quote_list_order_by_quote on quote.quote_list_order (tenant_id, build, quote_id);

select platform.isolate_tenant('quote.quote_list');
select platform.isolate_tenant('quote.quote_list_customer');
select platform.isolate_tenant('quote.quote_list_order');
select platform.keep_projection('quote', 'quote-list', 'quote.quote_list');
select platform.keep_projection('quote', 'quote-list', 'quote.quote_list_customer');
select platform.keep_projection('quote', 'quote-list', 'quote.quote_list_order');
