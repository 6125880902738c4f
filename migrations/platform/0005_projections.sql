-- Projections of a service: tables made from events for lists that need more than one aggregate. In the service's own
-- migration: `select platform.create_projections('order')` once, then for each table, after `platform.isolate_tenant`,
-- `select platform.keep_projection('order', 'order-list', '"order".order_list')`.
--
-- A row belongs to a build. Readers read the live one; a rebuild fills the next one beside it and then switches, in one
-- statement. Grants are given here and per table: these tables are younger than `platform.grant_service` of their service.

create function platform.create_projections(service text) returns void
    language plpgsql
as $create$
begin
    execute format($ddl$
        create table %1$I.projection (
            name       text        primary key,
            -- The build that readers read and events are applied to. Whoever applies holds the row `for share` until the
            -- commit, so that a switch waits for what is on its way and nothing is written to a build that was left.
            live_build integer     not null default 1 check (live_build > 0),
            -- The number given out last; none is used twice.
            last_build integer     not null default 1 check (last_build >= live_build),
            rebuilt_at timestamptz
        );

        -- Up to when the live build holds everything a partition held. Readers are told the least of them.
        create table %1$I.projection_progress (
            name       text        not null,
            topic      text        not null,
            partition  integer     not null check (partition >= 0),
            current_at timestamptz not null,
            primary key (name, topic, partition)
        ) with (fillfactor = 50);

        grant select on %1$I.projection, %1$I.projection_progress to %2$I, %3$I;
        grant update on %1$I.projection to %3$I;
        grant insert, update on %1$I.projection_progress to %3$I;
    $ddl$, service, service || '_serve', service || '_work');
end
$create$;

-- Makes an isolated table one of a projection. The worker compares builds over all tenants, and removes those nobody reads.
create function platform.keep_projection(service text, projection text, table_name regclass) returns void
    language plpgsql
as $keep$
begin
    execute format($ddl$
        insert into %1$I.projection (name) values (%2$L) on conflict do nothing;
        grant select on %3$s to %4$I, %5$I;
        grant insert, update, delete on %3$s to %5$I;
        create policy builds_are_compared_over_all_tenants on %3$s for select to %5$I using (true);
        create policy left_builds_are_removed on %3$s for delete to %5$I
            using (build <> (select p.live_build from %1$I.projection p where p.name = %2$L));
    $ddl$, service, projection, table_name, service || '_serve', service || '_work');
end
$keep$;
