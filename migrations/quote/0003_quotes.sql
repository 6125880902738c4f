-- A quote is a negotiation: a container with numbered revisions. The container's row carries the version of the whole
-- aggregate and is locked by every command, so revisions and items need no lock of their own.
create table quote.quote (
    tenant_id text not null,
    quote_id uuid not null,
    version bigint not null check (version > 0),
    external_id text,
    state text not null,
    -- Lenient while drafting: the customer is looked up when the revision is submitted, hence no foreign key.
    customer_id uuid,
    price_book_id uuid not null,
    -- Pinned when the first price is taken, unless the creator named one.
    publication_id uuid,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    level text not null check (level in ('indicative', 'budgetary', 'firm')),
    valid_for_days integer not null check (valid_for_days between 1 and 365),
    current_revision_no integer not null check (current_revision_no > 0),
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, quote_id)
);

create unique index quote_external_id on quote.quote (tenant_id, external_id) where external_id is not null;
create index quote_by_customer on quote.quote (tenant_id, customer_id, quote_id desc);
create index quote_by_state on quote.quote (tenant_id, state, quote_id desc);

create trigger quote_version before update on quote.quote
    for each row execute function quote.check_version();
create trigger quote_created before insert on quote.quote
    for each row execute function quote.check_transition('quote');
create trigger quote_moved before update on quote.quote
    for each row when (old.state is distinct from new.state) execute function quote.check_transition('quote');

-- One numbered offer. Frozen from submission on: content_hash is the hash of everything the customer would agree to.
create table quote.revision (
    tenant_id text not null,
    quote_id uuid not null,
    revision_no integer not null check (revision_no > 0),
    state text not null,
    -- Who changed the draft: none of them may approve it.
    editors text[] not null,
    -- The items changed after the price was taken, or no price was taken yet.
    price_stale boolean not null default true,
    price_result_id uuid,
    price_hash text,
    totals jsonb,
    approval_inputs jsonb,
    content_hash bytea check (octet_length(content_hash) = 32),
    valid_until timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, quote_id, revision_no),
    foreign key (tenant_id, quote_id) references quote.quote (tenant_id, quote_id),
    constraint a_fresh_price_has_a_result
        check (price_stale or (price_result_id is not null and totals is not null and approval_inputs is not null)),
    constraint a_frozen_revision_is_priced_and_hashed
        check (state in ('draft', 'cancelled', 'unableToProvide') or (content_hash is not null and not price_stale)),
    constraint an_offer_has_an_end
        check (valid_until is not null or state not in
            ('presented', 'accepted', 'ordered', 'declined', 'changesRequested', 'expired', 'superseded'))
);

-- At most one draft, one open approval and one offer at a time.
create unique index revision_one_in_preparation on quote.revision (tenant_id, quote_id)
    where state in ('draft', 'inApproval', 'approved');
create unique index revision_one_on_offer on quote.revision (tenant_id, quote_id)
    where state in ('presented', 'accepted', 'ordered');
-- The expiry worker's queue.
create index revision_on_offer_until on quote.revision (valid_until) where state = 'presented';

create trigger revision_created before insert on quote.revision
    for each row execute function quote.check_transition('revision');
create trigger revision_moved before update on quote.revision
    for each row when (old.state is distinct from new.state) execute function quote.check_transition('revision');

-- One line of a revision. A line keeps its id from revision to revision: that is its lineage.
create table quote.item (
    tenant_id text not null,
    quote_id uuid not null,
    revision_no integer not null,
    item_id uuid not null,
    line_no integer not null check (line_no > 0),
    offering_id uuid not null,
    -- From the catalog, when the offering was resolved; a draft may name an offering nobody has resolved yet.
    external_id text,
    name text,
    stocked boolean,
    quantity numeric not null check (quantity > 0),
    characteristics jsonb not null,
    adjustment jsonb,
    -- From the sealed price result, and from nowhere else.
    charges jsonb,
    amount numeric,
    primary key (tenant_id, quote_id, revision_no, item_id),
    foreign key (tenant_id, quote_id, revision_no) references quote.revision (tenant_id, quote_id, revision_no)
);

select platform.isolate_tenant('quote.quote');
select platform.isolate_tenant('quote.revision');
select platform.isolate_tenant('quote.item');
