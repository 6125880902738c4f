//! A process that is told to stop lets running requests end and takes no new ones.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use service_runtime::{
    Health, HttpConfig, Settings,
    server::{Lifecycle, serve},
};
use tokio::{net::TcpListener, sync::Notify};

fn config() -> HttpConfig {
    Settings::load(&[], None).and_then(|settings| settings.runtime()).expect("defaults").http
}

#[tokio::test]
async fn a_running_request_ends_and_a_new_connection_is_refused() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, wait) = (Arc::clone(&entered), Arc::clone(&release));
    let slow = get(move || async move {
        told.notify_one();
        wait.notified().await;
        "done"
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/slow", listener.local_addr().unwrap());
    let health = Health::new();
    let life = Lifecycle::new(health.clone());
    let (running, http) = (life.clone(), life.stop_http());
    let process = tokio::spawn(async move {
        let config = config();
        let serving = async { serve(listener, Router::new().route("/slow", slow), &config, http).await.unwrap() };
        running.run(serving, &config).await;
    });
    let request = tokio::spawn(reqwest::get(url.clone()));
    entered.notified().await;
    life.stop();
    life.stop_http().cancelled().await;
    assert!(!health.report().await.0);
    while reqwest::get(url.replace("/slow", "/new")).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!process.is_finished());
    release.notify_one();
    assert_eq!(request.await.unwrap().unwrap().text().await.unwrap(), "done");
    tokio::time::timeout(Duration::from_secs(5), process).await.unwrap().unwrap();
}

#[tokio::test]
async fn workers_stop_after_the_last_request_and_one_that_dies_ends_the_process() {
    let life = Lifecycle::new(Health::new());
    let stop = life.stop_workers();
    life.spawn_worker("good", async move { stop.cancelled().await });
    life.spawn_worker("bad", async { panic!("a worker dies") });
    let stop_http = life.stop_http();
    let config = config();
    // Nobody asks the process to stop: the dead worker does.
    let ended = life.run(async move { stop_http.cancelled().await }, &config);
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
}
