-- Messaging tables of a service: `select platform.create_messaging('catalog')` in the service's own migration.
--
-- The outbox is an insert-only log: nobody updates or deletes a row, retention drops whole days. A row is written in the
-- business transaction, after the aggregate's row was locked, so the order of `seq` is the commit order per aggregate.

create function platform.create_messaging(service text) returns void
    language plpgsql
as $create$
begin
    execute format($ddl$
        create table %1$I.outbox (
            -- cache 1: cached ranges would hand one session smaller numbers than a later session already used.
            seq               bigint      generated always as identity (cache 1),
            -- The top-level transaction; the relay reads by the difference of two snapshots, never by seq alone.
            xid               xid8        not null default pg_current_xact_id(),
            -- hash(tenant, aggregate) mod 64: the unit relays share their work by.
            shard             smallint    not null check (shard between 0 and 63),
            tenant_id         text        not null,
            aggregate_type    text        not null,
            aggregate_id      uuid        not null,
            aggregate_version bigint      not null check (aggregate_version > 0),
            event_id          uuid        not null,
            event_type        text        not null,
            schema_version    integer     not null check (schema_version > 0),
            -- W3C trace context of the writing span, the message's creation context.
            traceparent       text,
            correlation_id    text,
            causation_id      uuid,
            occurred_at       timestamptz not null,
            -- clock_timestamp(): now() is the start of the transaction and could name a day long past.
            enqueued_at       timestamptz not null default clock_timestamp(),
            -- bytea: jsonb would reorder keys, and hashes over the payload would stop matching. 900 KiB: a Kafka
            -- broker takes 1 MiB by default, and the relay must never meet a row it cannot send.
            payload           bytea       not null check (octet_length(payload) <= 921600),
            -- seq first: the relay pages in this order.
            primary key (seq, enqueued_at)
        ) partition by range (enqueued_at);

        -- The newest transactions are a handful of entries at its end. Not by shard: a relay that owns all of them would
        -- descend once a shard, a partition and a poll, and one that owns half reads twice what it needs of very little.
        create index outbox_xid on %1$I.outbox (xid);

        -- How far each shard group was published. Everything visible in `snapshot` is acknowledged by the log; while a
        -- large difference is being paged, so is everything visible in `page_snapshot` up to `page_seq`.
        create table %1$I.relay_cursor (
            shard_group       smallint    primary key check (shard_group between 0 and 7),
            -- The lease term of the last relay that claimed the group; an older one can no longer move the cursor.
            term              bigint      not null default 0,
            snapshot          pg_snapshot not null default '1:1:',
            page_snapshot     pg_snapshot,
            page_seq          bigint,
            -- Transaction ids mean nothing in another cluster: a restored dump must not be read with this cursor.
            system_identifier bigint,
            stored_at         timestamptz not null default clock_timestamp(),
            check ((page_snapshot is null) = (page_seq is null))
        ) with (fillfactor = 50);
        insert into %1$I.relay_cursor (shard_group) select generate_series(0, 7);

        -- Who works on what: shard groups for relays, partitions for consumers. Terms are issued here and nowhere else.
        create table %1$I.lease (
            scope      text        not null,
            slot       integer     not null check (slot >= 0),
            holder     uuid,
            term       bigint      not null default 0,
            expires_at timestamptz not null default '-infinity',
            primary key (scope, slot)
        ) with (fillfactor = 50);
        create table %1$I.lease_member (
            scope      text        not null,
            member     uuid        not null,
            expires_at timestamptz not null,
            primary key (scope, member)
        ) with (fillfactor = 50);

        -- How far a consumer read a partition. next_offset moves in the transaction of the effects; settled_offset
        -- follows once the effects outside PostgreSQL (caches) were made as well, and is where reading starts again.
        create table %1$I.consumer_position (
            consumer       text        not null,
            topic          text        not null,
            partition      integer     not null check (partition >= 0),
            -- Which log the offsets belong to; they say nothing about another one.
            log_id         text        not null,
            next_offset    bigint      not null check (next_offset >= 0),
            settled_offset bigint      not null check (settled_offset between 0 and next_offset),
            term           bigint      not null,
            updated_at     timestamptz not null default clock_timestamp(),
            primary key (consumer, topic, partition)
        ) with (fillfactor = 50);

        -- The aggregate version a consumer has applied, by the event's ordering key (tenant:aggregateType:aggregateId).
        create table %1$I.consumer_applied (
            consumer  text   not null,
            event_key text   not null,
            version   bigint not null check (version > 0),
            primary key (consumer, event_key)
        ) with (fillfactor = 80);

        -- Events applied by id, for consumers that cannot go by versions.
        create table %1$I.consumer_inbox (
            consumer   text        not null,
            event_id   uuid        not null,
            applied_at timestamptz not null default clock_timestamp(),
            primary key (consumer, event_id)
        );
        create index consumer_inbox_age on %1$I.consumer_inbox (consumer, applied_at);

        -- The parking lot. A key in it keeps its order: later events of the key queue up behind the one that failed.
        create table %1$I.parked_key (
            consumer       text        not null,
            event_key      text        not null,
            reason         text        not null check (reason in ('poison', 'gap')),
            -- For a gap: the version the source must publish again.
            wanted_version bigint,
            parked_at      timestamptz not null default clock_timestamp(),
            primary key (consumer, event_key)
        );
        create table %1$I.parked_event (
            id                bigint      generated always as identity primary key,
            consumer          text        not null,
            event_key         text        not null,
            topic             text        not null,
            partition         integer     not null,
            log_offset        bigint      not null,
            -- Null where the record could not be read as an event; then the payload is the record as it came.
            event_id          uuid,
            tenant_id         text,
            event_type        text,
            aggregate_version bigint,
            envelope          jsonb,
            payload           bytea       not null,
            error             text        not null,
            attempts          integer     not null default 0,
            parked_at         timestamptz not null default clock_timestamp(),
            unique (consumer, event_key, event_id),
            foreign key (consumer, event_key) references %1$I.parked_key
        );

        -- Days are created ahead by the relay, which is not the owner: hence functions with the owner's rights, each
        -- bound to this schema. There is no default partition: a missing day must fail loudly, not fill a bin.
        create function %1$I.prepare_outbox(days_ahead integer) returns integer
            language sql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
            as $body$ select platform.prepare_outbox_days(%1$L, days_ahead) $body$;
        create function %1$I.retire_outbox(keep_days integer) returns integer
            language sql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC'
            as $body$ select platform.retire_outbox_days(%1$L, keep_days) $body$;
        revoke execute on function %1$I.prepare_outbox(integer), %1$I.retire_outbox(integer) from public;

        -- A service appends for the tenant it works for; the relay and the consumers see every tenant's.
        alter table %1$I.outbox enable row level security, force row level security;
        create policy append_for_own_tenant on %1$I.outbox for insert to %2$I, %3$I
            with check (tenant_id = nullif(current_setting('quoin.tenant', true), ''));
        create policy publish_for_all_tenants on %1$I.outbox for select to %3$I using (true);
        alter table %1$I.parked_event enable row level security, force row level security;
        create policy park_for_all_tenants on %1$I.parked_event to %3$I using (true) with check (true);
    $ddl$, service, service || '_serve', service || '_work');

    perform set_config('timezone', 'UTC', true);
    perform platform.prepare_outbox_days(service, 14);
    perform platform.grant_messaging(service);
end
$create$;

-- Exactly the rights messaging needs, and no more; `platform.grant_service` calls it last, because it grants broadly.
create function platform.grant_messaging(service text) returns void
    language plpgsql
as $grant$
declare
    part regclass;
begin
    execute format($ddl$
        revoke all on %1$I.outbox, %1$I.relay_cursor, %1$I.lease, %1$I.lease_member, %1$I.consumer_position,
            %1$I.consumer_applied, %1$I.consumer_inbox, %1$I.parked_key, %1$I.parked_event from %2$I, %3$I;
        grant insert on %1$I.outbox to %2$I, %3$I;
        grant select on %1$I.outbox to %3$I;
        grant select, update on %1$I.relay_cursor to %3$I;
        grant select, insert, update on %1$I.consumer_position, %1$I.consumer_applied, %1$I.lease to %3$I;
        grant select, insert, delete on %1$I.consumer_inbox to %3$I;
        grant select, insert, update, delete on %1$I.lease_member, %1$I.parked_key, %1$I.parked_event to %3$I;
        grant execute on function %1$I.prepare_outbox(integer), %1$I.retire_outbox(integer) to %3$I;
    $ddl$, service, service || '_serve', service || '_work');
    for part in select inhrelid::regclass from pg_inherits where inhparent = to_regclass(format('%I.outbox', service)) loop
        execute format('revoke all on %s from %I, %I', part, service || '_serve', service || '_work');
    end loop;
end
$grant$;

-- Creates today's day of the outbox and the next `days_ahead`; returns how many were missing.
create function platform.prepare_outbox_days(service text, days_ahead integer) returns integer
    language plpgsql set timezone = 'UTC' set lock_timeout = '2s'
as $prepare$
declare
    day date;
    name text;
    made integer := 0;
begin
    -- One at a time, so that two relays do not both find the same day missing.
    perform pg_advisory_xact_lock(hashtextextended('quoin.outbox:' || service, 0));
    for day in select current_date + ahead from generate_series(0, least(days_ahead, 366)) ahead loop
        name := 'outbox_' || to_char(day, 'YYYYMMDD');
        continue when to_regclass(format('%I.%I', service, name)) is not null;
        -- Created beside and attached: `partition of` would take an exclusive lock on the parent and stop all inserts.
        execute format('create table %1$I.%2$I (like %1$I.outbox including all excluding identity)', service, name);
        execute format('alter table %1$I.%2$I enable row level security', service, name);
        execute format('alter table %1$I.outbox attach partition %1$I.%2$I for values from (%3$L) to (%4$L)',
            service, name, day::timestamptz, (day + 1)::timestamptz);
        made := made + 1;
    end loop;
    return made;
end
$prepare$;

-- Drops the days that ended more than `keep_days` ago, unless a relay has not published all of them; returns how many.
create function platform.retire_outbox_days(service text, keep_days integer) returns integer
    language plpgsql set timezone = 'UTC' set lock_timeout = '200ms'
as $retire$
declare
    name text;
    unpublished boolean;
    dropped integer := 0;
begin
    perform pg_advisory_xact_lock(hashtextextended('quoin.outbox:' || service, 0));
    for name in
        select relname from pg_inherits join pg_class on pg_class.oid = inhrelid
        where inhparent = to_regclass(format('%I.outbox', service))
          and to_date(right(relname, 8), 'YYYYMMDD') < current_date - greatest(keep_days, 1)
        order by relname
    loop
        execute format('lock table %I.%I in access exclusive mode', service, name);
        execute format('select exists (select from %1$I.%2$I o, %1$I.relay_cursor c
                                       where o.xid >= pg_snapshot_xmin(c.snapshot)
                                         and not pg_visible_in_snapshot(o.xid, c.snapshot))',
            service, name) into unpublished;
        exit when unpublished;
        execute format('drop table %I.%I', service, name);
        dropped := dropped + 1;
    end loop;
    return dropped;
exception when lock_not_available then
    -- Somebody reads or writes there. Waiting would queue every insert behind us; the next round tries again.
    return 0;
end
$retire$;

-- One member's heartbeat for `scope`: renews what it holds, gives back what is above its fair share, takes what is free
-- or has lapsed up to that share, and returns what it holds now. The database's clock decides; a slot that changes hands
-- gets a new term, and whoever writes with an older one is refused.
create function platform.renew_leases(
    service text, of_scope text, me uuid, slots integer, ttl interval, give_back boolean
) returns table (slot integer, term bigint)
    language plpgsql
as $renew$
declare
    lapses timestamptz;
    members integer;
    share integer;
begin
    perform pg_advisory_xact_lock(hashtextextended('quoin.lease:' || service || ':' || of_scope, 0));
    lapses := clock_timestamp() + ttl;
    execute format('insert into %I.lease_member (scope, member, expires_at) values ($1, $2, $3)
                    on conflict (scope, member) do update set expires_at = excluded.expires_at', service)
        using of_scope, me, lapses;
    execute format('delete from %I.lease_member where scope = $1 and expires_at < clock_timestamp()', service)
        using of_scope;
    execute format('select count(*) from %I.lease_member where scope = $1', service) into members using of_scope;
    share := ceil(slots::numeric / members);

    execute format('insert into %1$I.lease (scope, slot)
                    select $1, slot from generate_series(0, $2 - 1) slot
                    where not exists (select from %1$I.lease l where l.scope = $1 and l.slot = $2 - 1)
                    on conflict do nothing', service)
        using of_scope, slots;
    execute format('update %I.lease l set expires_at = $3 where l.scope = $1 and l.holder = $2', service)
        using of_scope, me, lapses;
    if give_back then
        execute format('update %1$I.lease l set holder = null where l.scope = $1 and l.holder = $2 and l.slot in
                          (select h.slot from %1$I.lease h where h.scope = $1 and h.holder = $2 order by h.slot offset $3)',
            service) using of_scope, me, share;
    end if;
    execute format('update %1$I.lease l set holder = $2, term = l.term + 1, expires_at = $3
                    where l.scope = $1 and l.slot in
                      (select f.slot from %1$I.lease f
                       where f.scope = $1 and f.slot < $4 and (f.holder is null or f.expires_at < clock_timestamp())
                       order by f.slot
                       limit greatest($5 - (select count(*) from %1$I.lease h where h.scope = $1 and h.holder = $2), 0))',
        service) using of_scope, me, lapses, slots, share;
    return query execute format('select l.slot, l.term from %I.lease l
                                 where l.scope = $1 and l.holder = $2 and l.slot < $3 order by l.slot', service)
        using of_scope, me, slots;
end
$renew$;

-- Leaves `scope`: what the member held is free at once, without waiting for the lease to lapse.
create function platform.release_leases(service text, of_scope text, me uuid) returns void
    language plpgsql
as $release$
begin
    perform pg_advisory_xact_lock(hashtextextended('quoin.lease:' || service || ':' || of_scope, 0));
    execute format('update %I.lease set holder = null where scope = $1 and holder = $2', service) using of_scope, me;
    execute format('delete from %I.lease_member where scope = $1 and member = $2', service) using of_scope, me;
end
$release$;
