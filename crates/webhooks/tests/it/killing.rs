//! A dispatcher that dies between sending and noting: repeats, and never loses.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use axum::{http::StatusCode, response::IntoResponse};
use kernel::SystemClock;
use sqlx::PgPool;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use webhooks::Webhooks;

use crate::{
    receiver::Receiver,
    world::{HUB, World},
};

/// A dispatcher on a runtime of its own: dropped in the background, it stops wherever it is, as a killed process does.
fn doomed(world: &World) -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (url, config) = (world.database.service_url("quote_work"), world.config.clone());
    runtime.spawn(async move {
        let pool = PgPool::connect(&url).await.unwrap();
        Webhooks::new(&HUB, &config).worker(pool, Arc::new(SystemClock), CancellationToken::new()).1.await;
    });
    runtime
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_sent_and_did_not_note_is_sent_again() {
    let world = World::new().await;
    let (first, held) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
    let (came, coming) = mpsc::channel();
    let gate = Arc::clone(&held);
    let receiver = Receiver::answering(move |heard| {
        // The receiver has the first event, and its answer never reaches who sent it.
        if heard.version() == 1 && heard.aggregate() == Uuid::from_u128(1) && first.swap(false, Ordering::SeqCst) {
            came.send(()).unwrap();
            tokio::task::block_in_place(|| {
                while gate.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
            });
        }
        StatusCode::OK.into_response()
    })
    .await;
    let listener = world.register(&receiver.callback).await;
    let process = doomed(&world);
    world.quote_changed(Uuid::from_u128(1), 1).await;
    world.quote_changed(Uuid::from_u128(1), 2).await;
    tokio::task::spawn_blocking(move || coming.recv_timeout(Duration::from_mins(1)).unwrap()).await.unwrap();
    process.shutdown_background();
    held.store(false, Ordering::SeqCst);

    // Until its term ends nobody else sends it, and so nothing after it; other aggregates flow.
    let _working = world.work();
    world.quote_changed(Uuid::from_u128(2), 1).await;
    receiver.until(|heard| heard.iter().any(|heard| heard.aggregate() == Uuid::from_u128(2))).await;
    world.until("select count(*) from quote.webhook_delivery", 2).await;
    assert_eq!(listener.waiting(&world).await, [1, 2]);
    world.tamper("update quote.webhook_delivery set claimed_until = clock_timestamp() - interval '1 second' where claim is not null").await;
    world.until("select count(*) from quote.webhook_delivery", 0).await;
    let of_one: Vec<u64> = receiver
        .accepted()
        .iter()
        .filter(|heard| heard.aggregate() == Uuid::from_u128(1))
        .map(crate::receiver::Heard::version)
        .collect();
    assert_eq!(of_one, [1, 1, 2]);
}
