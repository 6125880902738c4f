-- Who may have what: rules in numbered versions that never change, and which of them is in force.
create table quote.eligibility_policy (
    tenant_id text not null,
    version bigint not null check (version > 0),
    -- What holds for an offering that no rule decides about.
    otherwise text not null check (otherwise in ('eligible', 'notEligible')),
    rules jsonb not null,
    created_by text not null,
    created_at timestamptz not null,
    primary key (tenant_id, version)
);

-- One row a tenant: the policy in force, and the lock under which it is replaced. 0: none yet, everything is eligible.
create table quote.active_eligibility_policy (
    tenant_id text not null primary key,
    version bigint not null default 0 check (version >= 0),
    policy_version bigint generated always as (nullif(version, 0)) stored,
    foreign key (tenant_id, policy_version) references quote.eligibility_policy (tenant_id, version)
);

create trigger active_eligibility_policy_version before update on quote.active_eligibility_policy
    for each row execute function quote.check_version();

select platform.isolate_tenant('quote.eligibility_policy');
select platform.isolate_tenant('quote.active_eligibility_policy');

-- A version is written once.
grant select, insert on quote.eligibility_policy to quote_serve, quote_work;
grant select, insert, update on quote.active_eligibility_policy to quote_serve, quote_work;
