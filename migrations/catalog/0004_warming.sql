-- The worker that warms caches looks for tenants whose catalog changed lately, over all tenants; without a tenant set it sees no
-- other row, and with one no other tenant's.
create policy warming_finds_new_publications on catalog.active_publication
    for select to catalog_work
    using (
        nullif(current_setting('quoin.tenant', true), '') is null
        and activated_at > clock_timestamp() - interval '1 day'
    );
