//! Facts: one event a version, written with the change; and what the catalog does about its own.

use std::{collections::BTreeMap, sync::Arc};

use catalog::{TOPIC, events::ActivePublicationReaction, reactions, rules::lifecycle::TRANSITIONS, words::Word};
use events::{Consumer, Envelope, Guard, InProcessBus, Reaction, Relay, RelayConfig};
use kernel::{EventId, Version};
use serde_json::{Value, json};

use tokio_util::sync::CancellationToken;

use crate::support::{Catalog, import, pool, publish, simple};

type Fact = (String, String, uuid::Uuid, i64, Vec<u8>);

async fn facts(catalog: &Catalog) -> Vec<Fact> {
    sqlx::query_as(
        "select event_type, aggregate_type, aggregate_id, aggregate_version, payload from catalog.outbox order by seq",
    )
    .fetch_all(&catalog.admin)
    .await
    .expect("the outbox can be read")
}

#[tokio::test]
async fn every_version_of_every_aggregate_has_exactly_one_event() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let with_colour = json!({"externalId": "A", "name": "a", "kind": "simple", "stocked": true,
        "characteristics": [{"name": "colour", "valueType": "string"}],
        "prices": [{"priceType": "oneTime", "amount": {"amount": "1", "currency": "EUR"}}]});
    import(&editor, json!([with_colour, simple("B", "b")])).await;
    publish(&editor, "one").await;
    import(&editor, json!([simple("A", "a2"), simple("B", "b")])).await;
    publish(&editor, "two").await;
    let mut versions: BTreeMap<(String, uuid::Uuid), Vec<i64>> = BTreeMap::new();
    for (_, aggregate, id, version, _) in facts(&catalog).await {
        versions.entry((aggregate, id)).or_default().push(version);
    }
    for (aggregate, versions) in &versions {
        let expected: Vec<i64> = (1..).take(versions.len()).collect();
        assert_eq!(*versions, expected, "{aggregate:?}");
    }
    let stored: Vec<(String, uuid::Uuid, i64)> = sqlx::query_as(
        "select 'offering', offering_id, version from catalog.offering \
         union all select 'specification', specification_id, version from catalog.specification \
         union all select 'price', price_id, version from catalog.price \
         union all select 'publication', publication_id, 1 from catalog.publication",
    )
    .fetch_all(&catalog.admin)
    .await
    .unwrap();
    for (aggregate, id, version) in stored {
        assert_eq!(versions[&(aggregate.clone(), id)].last(), Some(&version), "{aggregate} {id}");
    }
}

#[tokio::test]
async fn an_activation_says_what_came_and_what_went() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    import(&editor, json!([simple("A", "a")])).await;
    let first = publish(&editor, "one").await;
    import(&editor, json!([simple("A", "b")])).await;
    let second = publish(&editor, "two").await;
    let payloads: Vec<Value> = facts(&catalog)
        .await
        .into_iter()
        .filter(|(event_type, ..)| event_type == "CatalogPublicationActivated")
        .map(|(.., payload)| serde_json::from_slice(&payload).unwrap())
        .collect();
    assert_eq!(payloads[0]["previousPublicationId"], Value::Null);
    assert_eq!(
        payloads[1],
        json!({"publicationId": second["id"], "name": "two", "contentHash": second["contentHash"],
            "previousPublicationId": first["id"]})
    );
}

#[tokio::test]
async fn the_reaction_moves_the_cached_pointer_and_an_older_event_does_not_move_it_back() {
    let catalog = Catalog::start().await;
    let (editor, buyer) = (catalog.editor(), catalog.buyer());
    import(&editor, json!([simple("A", "a")])).await;
    publish(&editor, "one").await;
    let active = async || buyer.get("/catalog/v1/publications/active").send().await.expect(200);
    assert_eq!(active().await.version(), 1);
    // A change this process did not make: another replica put a publication in force.
    let moved = "update catalog.active_publication set version = 2, activated_at = now()";
    sqlx::query(moved).execute(&catalog.admin).await.unwrap();
    let reaction = ActivePublicationReaction(catalog.caches.catalog.clone());
    assert_eq!(reaction.guard("CatalogPublicationActivated"), Guard::StateCarrying);
    assert_eq!(reaction.guard("OfferingChanged"), Guard::Ignore);
    reaction.committed(&activated(&catalog, 2)).await.unwrap();
    assert_eq!(active().await.version(), 2);
    let cached = active().await;
    assert!(cached.header("cache-status").starts_with("quoin; hit"), "{}", cached.header("cache-status"));
    reaction.committed(&activated(&catalog, 1)).await.unwrap();
    assert!(active().await.header("cache-status").starts_with("quoin; hit"), "a late event evicted a fresh value");
}

#[tokio::test]
async fn an_activation_reaches_the_cache_of_another_process_through_outbox_bus_and_consumer() {
    let catalog = Catalog::start().await;
    let other = catalog.replica().await;
    let editor = catalog.editor();
    import(&editor, json!([simple("A", "a")])).await;
    let first = publish(&editor, "one").await;
    let shown = async || other.buyer().get("/catalog/v1/publications/active").send().await.expect(200);
    assert_eq!(shown().await.value()["publicationId"], first["id"]);
    import(&editor, json!([simple("A", "b")])).await;
    let second = publish(&editor, "two").await;
    assert_eq!(shown().await.value()["publicationId"], first["id"], "the other process cannot know yet");

    let (stop, bus) = (CancellationToken::new(), InProcessBus::new());
    let work = pool(&catalog.database.service_url("catalog_work"), 6).await;
    let hint = catalog.hints.0.clone();
    let relay = Relay::new(work.clone(), "catalog", TOPIC, Arc::new(bus.clone()), hint, RelayConfig::default());
    let running = reactions(&other.state).into_iter().map(|reaction| {
        let consumer = Consumer::new(work.clone(), "catalog", bus.source(), reaction);
        tokio::spawn(consumer.run(stop.clone()))
    });
    let running: Vec<_> = running.chain([tokio::spawn(relay.run(stop.clone()))]).collect();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while shown().await.value()["publicationId"] != second["id"] {
        assert!(tokio::time::Instant::now() < deadline, "the event never came");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    stop.cancel();
    futures::future::join_all(running).await;
    let applied: i64 = sqlx::query_scalar(
        "select count(*) from catalog.consumer_applied where version = 2 and consumer = 'catalog.active-publication'",
    )
    .fetch_one(&catalog.admin)
    .await
    .unwrap();
    assert_eq!(applied, 1);
}

pub fn activated(catalog: &Catalog, version: u64) -> Envelope {
    Envelope {
        id: EventId::generate(),
        source: "/quoin/catalog".to_owned(),
        event_type: "CatalogPublicationActivated".to_owned(),
        schema_version: 1,
        tenant: catalog.tenant.clone(),
        aggregate_type: "activePublication".to_owned(),
        aggregate_id: catalog::model::active_publication_id(&catalog.tenant),
        aggregate_version: Version::new(version),
        occurred_at: chrono::DateTime::UNIX_EPOCH,
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        data: "{}".into(),
    }
}

#[tokio::test]
async fn the_database_knows_the_same_steps_of_life() {
    let catalog = Catalog::start().await;
    let mut stored: Vec<(String, String)> =
        sqlx::query_as("select from_status, to_status from catalog.lifecycle_transition")
            .fetch_all(&catalog.admin)
            .await
            .unwrap();
    let mut known: Vec<(String, String)> =
        TRANSITIONS.iter().map(|(from, to)| (from.word().to_owned(), to.word().to_owned())).collect();
    stored.sort_unstable();
    known.sort_unstable();
    assert_eq!(stored, known);
}
