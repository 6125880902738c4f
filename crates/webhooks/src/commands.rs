//! Registering a callback, removing it, resuming it, and giving it another secret.
//!
//! Locks are taken in one order: the tenant's feed, then the subscription.

use kernel::{TenantId, Version};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::{HubError, HubResult},
    model::{MAX_SUBSCRIPTIONS, NewSubscription, Subscription},
    rules::secret::Secret,
    store::{deliveries, feed, subscriptions},
};

/// Which subscription, and the version the caller believes it has.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The subscription.
    pub id: Uuid,
    /// Its version.
    pub expected: Version,
}

/// Registers a callback. It hears what is recorded from now on.
pub async fn register(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    new: &NewSubscription,
) -> HubResult<Subscription> {
    feed::create(conn, schema, tenant).await?;
    let feed = feed::lock(conn, schema, tenant).await?.ok_or(sqlx::Error::RowNotFound)?;
    if feed.listeners >= MAX_SUBSCRIPTIONS {
        return Err(HubError::TooMany);
    }
    feed::set_listeners(conn, schema, tenant, feed.listeners + 1).await?;
    Ok(subscriptions::insert(conn, schema, tenant, new, feed.last_sequence).await?)
}

/// Removes a callback with everything that waits for it.
pub async fn unregister(conn: &mut PgConnection, schema: &str, tenant: &TenantId, target: Target) -> HubResult<()> {
    let feed = feed::lock(conn, schema, tenant).await?.ok_or(HubError::NotFound)?;
    lock(conn, schema, tenant, target).await?;
    deliveries::clear(conn, schema, tenant, target.id).await?;
    subscriptions::delete(conn, schema, tenant, target.id).await?;
    Ok(feed::set_listeners(conn, schema, tenant, feed.listeners - 1).await?)
}

/// Sends again, at once: what waits, or instead everything from an event's number on. What waits before that number is
/// given up: this is also the way past an event the receiver will never take.
pub async fn resume(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    target: Target,
    from: Option<i64>,
) -> HubResult<Subscription> {
    let feed = feed::lock(conn, schema, tenant).await?.ok_or(HubError::NotFound)?;
    let subscription = lock(conn, schema, tenant, target).await?;
    let Some(from) = from else {
        deliveries::make_due(conn, schema, tenant, target.id).await?;
        let position = subscription.next_sequence - 1;
        return Ok(subscriptions::activate(conn, schema, tenant, target.id, position).await?);
    };
    let next = feed.last_sequence + 1;
    if !(feed.oldest_sequence..=next).contains(&from) {
        return Err(HubError::NotKept { oldest: feed.oldest_sequence, next });
    }
    deliveries::clear(conn, schema, tenant, target.id).await?;
    Ok(subscriptions::activate(conn, schema, tenant, target.id, from - 1).await?)
}

/// Signs with another secret from now on. The one before signs beside it for a day; one before that ends at once.
pub async fn rotate(
    conn: &mut PgConnection,
    schema: &str,
    tenant: &TenantId,
    target: Target,
    secret: &Secret,
) -> HubResult<Subscription> {
    lock(conn, schema, tenant, target).await?;
    Ok(subscriptions::rotate(conn, schema, tenant, target.id, secret).await?)
}

async fn lock(conn: &mut PgConnection, schema: &str, tenant: &TenantId, target: Target) -> HubResult<Subscription> {
    let found = subscriptions::lock(conn, schema, tenant, target.id).await?.ok_or(HubError::NotFound)?;
    if found.version == target.expected { Ok(found) } else { Err(HubError::VersionChanged { current: found.version }) }
}
