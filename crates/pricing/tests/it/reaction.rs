//! The reaction to `PriceBookUpdated`: after it, no older pointer is served.

use bytes::Bytes;
use cache_ports::{Loaded, load};
use events::{Envelope, Guard};
use kernel::{EventId, PriceBookId, Version};
use serde_json::json;

use crate::world::World;

fn updated(id: PriceBookId, version: u64) -> Envelope {
    let payload = json!({ "priceBookId": id, "externalId": "list", "version": version, "contentHash": "0".repeat(64) });
    Envelope {
        id: EventId::generate(),
        source: "/quoin/pricing".to_owned(),
        event_type: "PriceBookUpdated".to_owned(),
        schema_version: 1,
        tenant: "acme".parse().unwrap(),
        aggregate_type: "priceBook".to_owned(),
        aggregate_id: id.uuid(),
        aggregate_version: Version::new(version),
        occurred_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        data: Bytes::from(payload.to_string()),
    }
}

async fn pointer(world: &World, id: PriceBookId, in_database: u64) -> u64 {
    let version = Version::new(in_database);
    let ask = load(|| async move { Ok::<_, std::io::Error>(Loaded::Found { value: version, version }) });
    let served = world.caches.pricing.active_price_book_version(&world.tenant, id, None, &ask).await.unwrap();
    served.unwrap().value.get()
}

#[tokio::test]
async fn a_consumed_event_moves_the_pointer_and_an_old_one_does_not() {
    let world = World::new().await;
    let reactions = pricing::reactions(&world.state);
    let reaction = &reactions[0];
    assert_eq!(
        (reaction.topics(), reaction.guard("PriceBookUpdated")),
        (&["quoin.pricing.v1"][..], Guard::StateCarrying)
    );
    assert_eq!(reaction.guard("FinalPriceSealed"), Guard::Ignore);

    let id = PriceBookId::generate();
    assert_eq!(pointer(&world, id, 1).await, 1);
    assert_eq!(pointer(&world, id, 2).await, 1, "served from the cache until the event comes");
    reaction.committed(&updated(id, 2)).await.unwrap();
    assert_eq!(pointer(&world, id, 2).await, 2);
    reaction.committed(&updated(id, 1)).await.unwrap();
    assert_eq!(pointer(&world, id, 3).await, 2, "a late event evicts nothing fresh");
}

#[tokio::test]
async fn an_unreadable_event_is_poison() {
    let world = World::new().await;
    let reaction = pricing::reactions(&world.state).remove(0);
    let mut connection = world.owner.acquire().await.unwrap();
    let mut broken = updated(PriceBookId::generate(), 1);
    reaction.apply(&mut connection, &broken).await.unwrap();
    broken.data = Bytes::from_static(b"{}");
    let error = reaction.apply(&mut connection, &broken).await.unwrap_err();
    assert!(matches!(error, events::ReactionError::Poison(_)), "{error:?}");
}
