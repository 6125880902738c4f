-- How deep a discount somebody may approve: grants in numbered versions that never change, which of them are in force, and
-- who may approve nothing any more.
create table quote.access_policy (
    tenant_id text not null,
    version bigint not null check (version > 0),
    created_by text not null,
    created_at timestamptz not null,
    primary key (tenant_id, version)
);

-- One grant: to somebody by name, or to whoever has a role.
create table quote.access_grant (
    tenant_id text not null,
    policy_version bigint not null,
    grant_no integer not null check (grant_no > 0),
    subject text,
    -- SHA-256 of tenant and subject: the name by which caches know somebody.
    subject_hash bytea check (octet_length(subject_hash) = 32),
    role text,
    max_discount_percent numeric not null check (max_discount_percent between 0 and 100),
    primary key (tenant_id, policy_version, grant_no),
    foreign key (tenant_id, policy_version) references quote.access_policy (tenant_id, version),
    constraint a_grant_is_to_a_subject_or_to_a_role check (num_nonnulls(subject, role) = 1),
    constraint a_subject_has_a_hash check ((subject is null) = (subject_hash is null))
);

create unique index access_grant_of_subject on quote.access_grant (tenant_id, policy_version, subject_hash)
    where subject_hash is not null;
create unique index access_grant_of_role on quote.access_grant (tenant_id, policy_version, role) where role is not null;

-- One row a tenant: the policy in force, and the lock under which anything about access changes. 0: none yet, and whoever
-- has the role may approve any discount.
create table quote.active_access_policy (
    tenant_id text not null primary key,
    version bigint not null default 0 check (version >= 0),
    policy_version bigint generated always as (nullif(version, 0)) stored,
    foreign key (tenant_id, policy_version) references quote.access_policy (tenant_id, version)
);

create trigger active_access_policy_version before update on quote.active_access_policy
    for each row execute function quote.check_version();

-- Every revocation and every return, one row a change: the newest one holds. Rows stay, so that a version never comes again.
create table quote.access_revocation (
    tenant_id text not null,
    subject_hash bytea not null check (octet_length(subject_hash) = 32),
    version bigint not null check (version > 0),
    subject text not null,
    revoked boolean not null,
    reason text,
    changed_by text not null,
    changed_at timestamptz not null,
    primary key (tenant_id, subject_hash, version),
    constraint a_revocation_has_a_reason check (not revoked or reason is not null),
    constraint nobody_lifts_his_own_revocation check (revoked or changed_by <> subject)
);

select platform.isolate_tenant('quote.access_policy');
select platform.isolate_tenant('quote.access_grant');
select platform.isolate_tenant('quote.active_access_policy');
select platform.isolate_tenant('quote.access_revocation');

-- All but the pointer is written once.
grant select, insert on quote.access_policy to quote_serve, quote_work;
grant select, insert on quote.access_grant to quote_serve, quote_work;
grant select, insert, update on quote.active_access_policy to quote_serve, quote_work;
grant select, insert on quote.access_revocation to quote_serve, quote_work;
