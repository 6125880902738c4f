-- Customers as the quote service knows them: who a quote is for. Imported, found by the tenant's own id.
create table quote.customer (
    tenant_id text not null,
    customer_id uuid not null,
    version bigint not null check (version > 0),
    external_id text not null,
    name text not null,
    country text,
    segment text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, customer_id),
    unique (tenant_id, external_id)
);

create trigger customer_version before update on quote.customer
    for each row execute function quote.check_version();

select platform.isolate_tenant('quote.customer');
