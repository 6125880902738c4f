-- What a command answered, so that the same command again has the same answer and no second effect:
-- `select platform.create_idempotency('catalog')` in the service's own migration, before `grant_service`.
--
-- The row is claimed first thing in the command's transaction and completed before its commit. The primary key makes a
-- second one with the same key wait for the first. A refused command rolls its row back.
create function platform.create_idempotency(service text) returns void
    language plpgsql
as $create$
begin
    execute format($ddl$
        create table %1$I.idempotency_record (
            tenant_id    text        not null,
            -- The command's name, such as 'quote.accept'.
            route        text        not null,
            -- SHA-256 of the client's key.
            key_hash     bytea       not null check (octet_length(key_hash) = 32),
            -- SHA-256 of who asked and what was asked: the same key with another request is refused.
            fingerprint  bytea       not null check (octet_length(fingerprint) = 32),
            -- The answer; null only inside the transaction that runs the command.
            status       smallint    check (status between 200 and 299),
            body         bytea,
            content_type text,
            etag         text,
            location     text,
            created_at   timestamptz not null default now(),
            primary key (tenant_id, route, key_hash)
        );
        -- Completing a row must not touch an index: leave room on its page.
        alter table %1$I.idempotency_record set (fillfactor = 70);
        -- For the sweeper. Rows come in the order of this column, so a block range index is small and enough.
        create index idempotency_record_age on %1$I.idempotency_record using brin (created_at) with (pages_per_range = 16);
        select platform.isolate_tenant('%1$I.idempotency_record');
        create policy sweep_for_all_tenants on %1$I.idempotency_record to %2$I
            using (created_at < now() - interval '1 day') with check (false);
    $ddl$, service, service || '_work');
end
$create$;
