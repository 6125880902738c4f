//! Reactions: what the service does about its own facts and the order service's.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use events::{Envelope, Guard, Reaction};
use kernel::{EventId, SharedClock, SystemClock, TenantId, Version};
use quote::{
    events::{DropSummaries, FollowOrders},
    workers::reactions,
};
use serde_json::{Value, json};
use service_runtime::TenantTx;
use sqlx::Row;
use uuid::Uuid;

use crate::world::{Quote, World};

pub fn envelope(tenant: &TenantId, event_type: &str, id: Uuid, version: u64, data: &Value) -> Envelope {
    Envelope {
        id: EventId::generate(),
        source: "/quoin/test".to_owned(),
        event_type: event_type.to_owned(),
        schema_version: 1,
        tenant: tenant.clone(),
        aggregate_type: "test".to_owned(),
        aggregate_id: id,
        aggregate_version: Version::new(version),
        occurred_at: DateTime::<Utc>::UNIX_EPOCH,
        correlation_id: Some("because".to_owned()),
        causation_id: None,
        traceparent: None,
        data: data.to_string().into(),
    }
}

/// Applies an event as the consumer would.
pub async fn apply(world: &World, reaction: &dyn Reaction, event: &Envelope) {
    let mut tx = TenantTx::begin(&world.work, &event.tenant).await.unwrap();
    reaction.apply(&mut tx, event).await.unwrap();
    tx.commit().await.unwrap();
    reaction.committed(event).await.unwrap();
}

/// Everything in the outbox, as this consumer tells it.
pub async fn hear(world: &World, consumer: &str) {
    hear_only(world, consumer, "%").await;
}

/// The events of some types (a pattern of SQL) in the outbox, as this consumer tells them.
pub async fn hear_only(world: &World, consumer: &str, types: &str) {
    let rows = sqlx::query("select * from quote.outbox where event_type like $1 order by seq");
    let rows = rows.bind(types).fetch_all(&world.owner).await.unwrap();
    let clock: SharedClock = Arc::new(SystemClock);
    let reactions = reactions(&world.caches, &world.work, &clock);
    let reaction = reactions.iter().find(|reaction| reaction.consumer() == consumer).unwrap();
    for row in rows {
        let event = Envelope {
            id: row.get::<Uuid, _>("event_id").into(),
            source: "/quoin/quote".to_owned(),
            event_type: row.get("event_type"),
            schema_version: 1,
            tenant: row.get::<String, _>("tenant_id").parse().unwrap(),
            aggregate_type: row.get("aggregate_type"),
            aggregate_id: row.get("aggregate_id"),
            aggregate_version: Version::from_i64(row.get("aggregate_version")),
            occurred_at: row.get("occurred_at"),
            correlation_id: row.get("correlation_id"),
            causation_id: None,
            traceparent: None,
            data: row.get::<Vec<u8>, _>("payload").into(),
        };
        if reaction.guard(&event.event_type) != Guard::Ignore {
            apply(world, reaction.as_ref(), &event).await;
        }
    }
}

#[tokio::test]
async fn a_change_made_elsewhere_is_seen_once_its_event_has_come() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let read = || world.rep().get(&quote.path()).send();
    assert_eq!(read().await.expect(200).value()["version"], 1);
    // Another replica changes the quote; this process only hears the event.
    world.tamper("update quote.quote set version = 2, state = 'lost'").await;
    assert_eq!(read().await.expect(200).value()["version"], 1, "still cached");
    let reaction = DropSummaries::new(world.caches.quote.clone());
    let fact = json!({ "revisionNo": 1 });
    apply(&world, &reaction, &envelope(&world.tenant, "QuoteChanged", quote.id().parse().unwrap(), 2, &fact)).await;
    assert_eq!(read().await.expect(200).value()["state"], "lost");
}

#[tokio::test]
async fn an_order_wins_the_quote_and_its_end_closes_it_once() {
    let world = World::new().await;
    let offer = world.presented("1").await;
    offer.accept(&world.buyer(), "k").await.expect(200);
    let fact = |state: &str| json!({ "quoteId": offer.id(), "revisionNo": 1, "state": state });
    let order = Uuid::now_v7();
    let created = envelope(&world.tenant, "OrderCreated", order, 1, &fact("acknowledged"));
    apply(&world, &FollowOrders, &created).await;
    let won = offer.again(&world.rep()).await;
    assert_eq!((won.state(), &won.0["state"]), ("ordered", &json!("won")));
    apply(&world, &FollowOrders, &created).await;
    assert_eq!(offer.again(&world.rep()).await.version(), won.version(), "the same fact again changes nothing");
    let ended = envelope(&world.tenant, "OrderStateChanged", order, 3, &fact("completed"));
    apply(&world, &FollowOrders, &ended).await;
    let closed = offer.again(&world.rep()).await;
    assert_eq!((closed.state(), &closed.0["state"]), ("ordered", &json!("closed")));
    let caused = "select count(*) from quote.outbox where correlation_id = 'because' and causation_id is not null";
    assert_eq!(world.count(caused).await, 2);
}

#[tokio::test]
async fn an_order_of_a_quote_nobody_knows_is_poison_not_silence() {
    let world = World::new().await;
    let fact = json!({ "quoteId": Uuid::nil(), "revisionNo": 1, "state": "acknowledged" });
    let event = envelope(&world.tenant, "OrderCreated", Uuid::now_v7(), 1, &fact);
    let mut tx = TenantTx::begin(&world.work, &world.tenant).await.unwrap();
    let refused = FollowOrders.apply(&mut tx, &event).await.unwrap_err();
    assert!(matches!(refused, events::ReactionError::Poison(_)), "{refused:?}");
}

#[tokio::test]
async fn the_service_registers_its_reactions_under_names_of_their_own() {
    let world = World::new().await;
    let clock: SharedClock = Arc::new(SystemClock);
    let reactions = reactions(&world.caches, &world.work, &clock);
    let names: Vec<_> = reactions.iter().map(|reaction: &Arc<dyn Reaction>| reaction.consumer()).collect();
    assert_eq!(names, ["quote.summaries", "quote.eligibility", "quote.access", "quote.orders", "quote.notices"]);
    let quote: Quote = world.draft("1").await;
    assert_eq!(quote.version(), 1);
}
