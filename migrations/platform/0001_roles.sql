-- The roles services connect as, and the two helpers that give them exactly what they need.
--
-- Neither role owns anything and neither may pass row-level security. Passwords are no business of a migration: whoever
-- runs it sets them afterwards from its own configuration.

-- Roles belong to the whole server; several databases on one server may be migrated at the same moment.
create function platform.ensure_role(role_name text) returns void
    language plpgsql
as $$
begin
    if not exists (select from pg_roles where rolname = role_name) then
        execute format(
            'create role %I login nosuperuser nocreatedb nocreaterole noreplication nobypassrls', role_name);
    end if;
exception when duplicate_object or unique_violation then
    null; -- somebody else was first
end
$$;

select platform.ensure_role(service || '_' || duty)
from unnest(array['catalog', 'pricing', 'quote', 'order', 'inventory']) service,
     unnest(array['serve', 'work']) duty;

-- Nobody creates tables in passing.
revoke create on schema public from public;

-- Hides every other tenant's rows: `select platform.isolate_tenant('catalog.offering')`.
-- The tenant is set for the transaction only. Without it no row is visible and none can be written, not even by the owner.
create function platform.isolate_tenant(table_name regclass) returns void
    language plpgsql
as $$
begin
    if not exists (
        select from pg_attribute
        where attrelid = table_name and attname = 'tenant_id' and attnotnull and atttypid = 'text'::regtype
    ) then
        raise exception '% needs a column "tenant_id text not null"', table_name;
    end if;
    execute format('alter table %s enable row level security, force row level security', table_name);
    execute format($policy$
        create policy tenant_isolation on %s
            using (tenant_id = nullif(current_setting('quoin.tenant', true), ''))
            with check (tenant_id = nullif(current_setting('quoin.tenant', true), ''))
    $policy$, table_name);
end
$$;

-- Lets a service's two roles use its schema; the last statement of a service's migrations, repeated whenever tables are added.
create function platform.grant_service(service text) returns void
    language plpgsql
as $$
declare
    serve text := service || '_serve';
    work text := service || '_work';
begin
    execute format('grant usage on schema %I, platform to %I, %I', service, serve, work);
    execute format('grant select, insert, update, delete on all tables in schema %I to %I, %I', service, serve, work);
    execute format('grant usage on all sequences in schema %I to %I, %I', service, serve, work);
    -- The books of the migrations themselves.
    if to_regclass(format('%I.schema_migrations', service)) is not null then
        execute format('revoke all on %I.schema_migrations from %I, %I', service, serve, work);
    end if;
    -- The log of events is stricter: rows are only added.
    if to_regclass(format('%I.outbox', service)) is not null then
        perform platform.grant_messaging(service);
    end if;
end
$$;
