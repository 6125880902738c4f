-- Publications: the working copy frozen into documents, and which of them buyers see now.

create table catalog.publication (
    tenant_id text not null,
    publication_id uuid not null,
    -- 1, 2, 3 … within the tenant: the order in which publications were made.
    number bigint not null check (number > 0),
    name text not null,
    content_hash text not null check (length(content_hash) = 64),
    offering_count integer not null check (offering_count >= 0),
    created_by text not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, publication_id),
    unique (tenant_id, number),
    -- The same content is the same publication.
    unique (tenant_id, content_hash)
);

create table catalog.publication_offering (
    tenant_id text not null,
    publication_id uuid not null,
    offering_id uuid not null,
    external_id text,
    name text not null,
    category text,
    kind text not null,
    stocked boolean not null,
    document jsonb not null,
    document_hash text not null check (length(document_hash) = 64),
    -- 'simple': product names are identifiers more than prose, and a tenant's language is not known here.
    -- There is no GIN index on purpose: under forced row-level security the planner may not use one, because the
    -- match operator is not leakproof. A search walks one publication in name order, and its pages are cached.
    -- ASCII punctuation separates words, as in catalog::rules::search: the parser would take "fiber/100" for a path.
    search tsvector not null generated always as (
        to_tsvector('simple', regexp_replace(
            name || ' ' || coalesce(external_id, '') || ' ' || coalesce(category, '') || ' '
                || coalesce(document ->> 'description', ''),
            '[!-/:-@\[-`{-~]+', ' ', 'g'))) stored,
    primary key (tenant_id, publication_id, offering_id),
    foreign key (tenant_id, publication_id) references catalog.publication (tenant_id, publication_id)
);
create index publication_offering_by_name
    on catalog.publication_offering (tenant_id, publication_id, name collate "C", offering_id);
create index publication_offering_by_category
    on catalog.publication_offering (tenant_id, publication_id, category, name collate "C", offering_id);

-- One row a tenant: the publication in force, and the lock under which a tenant publishes, activates and imports.
create table catalog.active_publication (
    tenant_id text not null primary key,
    -- Null until the first activation.
    publication_id uuid,
    last_number bigint not null default 0,
    -- 0 until the first activation; then one more each time.
    version bigint not null default 0 check (version >= 0),
    activated_at timestamptz,
    foreign key (tenant_id, publication_id) references catalog.publication (tenant_id, publication_id),
    constraint active_iff_version check ((version = 0) = (publication_id is null)),
    constraint active_iff_time check ((version = 0) = (activated_at is null))
);

create table catalog.activation_history (
    tenant_id text not null,
    version bigint not null check (version > 0),
    publication_id uuid not null,
    previous_publication_id uuid,
    actor text not null,
    activated_at timestamptz not null,
    primary key (tenant_id, version),
    foreign key (tenant_id, publication_id) references catalog.publication (tenant_id, publication_id)
);

select platform.isolate_tenant('catalog.publication');
select platform.isolate_tenant('catalog.publication_offering');
select platform.isolate_tenant('catalog.active_publication');
select platform.isolate_tenant('catalog.activation_history');
