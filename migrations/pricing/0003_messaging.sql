-- The outbox, the idempotency record and the service's grants.

select platform.create_messaging('pricing');
select platform.create_idempotency('pricing');
select platform.grant_service('pricing');
