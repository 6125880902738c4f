-- Approval requests, the acceptance, and the history of every state change.
create table quote.approval (
    tenant_id text not null,
    approval_id uuid not null,
    quote_id uuid not null,
    revision_no integer not null,
    state text not null,
    -- The decision is bound to this content: any change voids it.
    content_hash bytea not null check (octet_length(content_hash) = 32),
    reasons jsonb not null,
    requested_by text not null,
    requested_at timestamptz not null,
    decided_by text,
    decided_at timestamptz,
    comment text,
    primary key (tenant_id, approval_id),
    foreign key (tenant_id, quote_id, revision_no) references quote.revision (tenant_id, quote_id, revision_no),
    constraint nobody_decides_on_his_own_request check (decided_by is null or decided_by <> requested_by or state not in ('approved', 'rejected')),
    constraint a_rejection_has_a_comment check (state <> 'rejected' or comment is not null)
);

create unique index approval_one_pending on quote.approval (tenant_id, quote_id) where state = 'pending';
create index approval_of_revision on quote.approval (tenant_id, quote_id, revision_no, requested_at desc);

create trigger approval_created before insert on quote.approval
    for each row execute function quote.check_transition('approval');
create trigger approval_moved before update on quote.approval
    for each row when (old.state is distinct from new.state) execute function quote.check_transition('approval');

-- The right to one order. The key is the guarantee that a quote is accepted at most once, whatever the code does.
create table quote.acceptance (
    tenant_id text not null,
    quote_id uuid not null,
    revision_no integer not null,
    content_hash bytea not null check (octet_length(content_hash) = 32),
    accepted_by text not null,
    accepted_at timestamptz not null,
    -- The acceptance as the order service reads it: items, quantities, amounts.
    document jsonb not null,
    primary key (tenant_id, quote_id),
    foreign key (tenant_id, quote_id, revision_no) references quote.revision (tenant_id, quote_id, revision_no)
);

-- Who moved what, when and why. revision_no 0 is the container itself.
create table quote.history (
    tenant_id text not null,
    quote_id uuid not null,
    version bigint not null,
    revision_no integer not null,
    from_state text not null,
    to_state text not null,
    actor text not null,
    reason text,
    at timestamptz not null,
    primary key (tenant_id, quote_id, version, revision_no)
);

select platform.isolate_tenant('quote.approval');
select platform.isolate_tenant('quote.acceptance');
select platform.isolate_tenant('quote.history');
