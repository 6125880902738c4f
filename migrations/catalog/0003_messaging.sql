-- Outbox, consumer positions and idempotency records of the catalog, then the service's rights on everything above.

select platform.create_messaging('catalog');
select platform.create_idempotency('catalog');
select platform.grant_service('catalog');

-- Frozen means frozen: neither role may touch a publication, its documents, or history once written.
-- A later migration that calls grant_service again must repeat what follows: grant_service grants broadly.
revoke update, delete on catalog.publication, catalog.publication_offering, catalog.lifecycle_history,
    catalog.activation_history from catalog_serve, catalog_work;
-- State machines are data for the foreign key, not for the service to edit.
revoke insert, update, delete on catalog.lifecycle_transition from catalog_serve, catalog_work;
