-- Callbacks of integrators: `select platform.create_webhooks('catalog')` in the service's own migration.
--
-- The feed of a tenant is numbered without gaps. The number is taken under the lock of the tenant's row, in the transaction
-- that writes the event, so numbers become visible in their order: who has read up to one has missed nothing before it.

create function platform.create_webhooks(service text) returns void
    language plpgsql
as $create$
begin
    execute format($ddl$
        -- One row a tenant that ever registered a callback: the lock and the counter of its feed.
        create table %1$I.webhook_feed (
            tenant_id       text    not null primary key,
            -- The number of the newest event.
            last_sequence   bigint  not null default 0 check (last_sequence >= 0),
            -- The number of the oldest event that is still kept, or of the next one where none is.
            oldest_sequence bigint  not null default 1 check (oldest_sequence > 0),
            -- How many subscriptions there are: without any, nothing is written.
            listeners       integer not null default 0 check (listeners >= 0)
        ) with (fillfactor = 50);

        -- The tenant's facts as they were published, payload byte for byte.
        create table %1$I.webhook_event (
            tenant_id         text        not null,
            sequence          bigint      not null check (sequence > 0),
            event_id          uuid        not null,
            event_type        text        not null,
            schema_version    integer     not null,
            source            text        not null,
            aggregate_type    text        not null,
            aggregate_id      uuid        not null,
            aggregate_version bigint      not null,
            occurred_at       timestamptz not null,
            correlation_id    text,
            causation_id      uuid,
            traceparent       text,
            payload           bytea       not null,
            recorded_at       timestamptz not null default clock_timestamp(),
            primary key (tenant_id, sequence),
            unique (tenant_id, event_id)
        );

        create table %1$I.webhook_subscription (
            tenant_id             text        not null,
            id                    uuid        not null,
            version               bigint      not null default 1 check (version > 0),
            callback              text        not null,
            -- The filter as it was sent, and what it means; null admits everything.
            query                 text,
            event_types           text[],
            aggregate_types       text[],
            -- Up to here every event of the feed has become a delivery, or was not asked for.
            position              bigint      not null check (position >= 0),
            suspended_at          timestamptz,
            suspended_because     text        check (suspended_because in ('failing', 'gone')),
            secret                bytea       not null check (octet_length(secret) = 32),
            -- The one before, which signs beside it until then.
            previous_secret       bytea       check (octet_length(previous_secret) = 32),
            previous_secret_until timestamptz,
            created_by            text        not null,
            created_at            timestamptz not null default clock_timestamp(),
            primary key (tenant_id, id),
            constraint a_suspension_has_a_reason check ((suspended_at is null) = (suspended_because is null)),
            constraint an_old_secret_has_an_end check ((previous_secret is null) = (previous_secret_until is null))
        ) with (fillfactor = 70);

        -- What waits to be acknowledged; an acknowledged delivery is deleted.
        create table %1$I.webhook_delivery (
            tenant_id       text        not null,
            subscription_id uuid        not null,
            sequence        bigint      not null,
            aggregate_type  text        not null,
            aggregate_id    uuid        not null,
            -- When the event was recorded.
            recorded_at     timestamptz not null,
            due_at          timestamptz not null default clock_timestamp(),
            attempts        integer     not null default 0 check (attempts >= 0),
            -- Who sends it, and until when nobody else does.
            claim           uuid,
            claimed_until   timestamptz,
            failing_since   timestamptz,
            last_attempt_at timestamptz,
            last_status     smallint,
            last_error      text,
            primary key (tenant_id, subscription_id, sequence),
            foreign key (tenant_id, subscription_id) references %1$I.webhook_subscription (tenant_id, id),
            foreign key (tenant_id, sequence) references %1$I.webhook_event (tenant_id, sequence)
        ) with (fillfactor = 70);
        -- Whether something of the same aggregate comes before.
        create index webhook_delivery_order on %1$I.webhook_delivery
            (tenant_id, subscription_id, aggregate_type, aggregate_id, sequence);
        -- What holds an event of the feed.
        create index webhook_delivery_event on %1$I.webhook_delivery (tenant_id, sequence);

        select platform.isolate_tenant('%1$I.webhook_feed');
        select platform.isolate_tenant('%1$I.webhook_event');
        select platform.isolate_tenant('%1$I.webhook_subscription');
        select platform.isolate_tenant('%1$I.webhook_delivery');

        -- Workers look for work over all tenants, and write for one at a time: without a tenant set they only read.
        create policy work_for_all_tenants on %1$I.webhook_feed for select to %3$I
            using (nullif(current_setting('quoin.tenant', true), '') is null);
        create policy work_for_all_tenants on %1$I.webhook_event for select to %3$I
            using (nullif(current_setting('quoin.tenant', true), '') is null);
        create policy work_for_all_tenants on %1$I.webhook_subscription for select to %3$I
            using (nullif(current_setting('quoin.tenant', true), '') is null);
        create policy work_for_all_tenants on %1$I.webhook_delivery for select to %3$I
            using (nullif(current_setting('quoin.tenant', true), '') is null);

        grant select, insert, update on %1$I.webhook_feed to %2$I;
        grant select, update on %1$I.webhook_feed to %3$I;
        grant select on %1$I.webhook_event to %2$I;
        grant select, insert, delete on %1$I.webhook_event to %3$I;
        grant select, insert, update, delete on %1$I.webhook_subscription to %2$I;
        grant select, update on %1$I.webhook_subscription to %3$I;
        grant select, update, delete on %1$I.webhook_delivery to %2$I;
        grant select, insert, update, delete on %1$I.webhook_delivery to %3$I;
    $ddl$, service, service || '_serve', service || '_work');
end
$create$;
