-- Callbacks of integrators, their feed and their deliveries.
select platform.create_webhooks('quote');
