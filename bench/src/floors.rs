//! The floors: the least a server can do for the same answer. No tenancy, no authentication, no rules.
//!
//! `/bare/{id}` a prebuilt body · `/l1/{id}` moka · `/l2/{id}` Redis by fred · `/pg/{id}` one key select.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use fred::{
    interfaces::{ClientLike, KeysInterface},
    prelude::{Builder, Client, Config},
};
use sqlx::{PgPool, Row, postgres::PgPoolOptions};
use uuid::Uuid;

/// PostgreSQL connections of the key-select floor; the product is given the same number.
pub const POOL_SIZE: u32 = 16;
/// Entries the moka floor may hold.
const L1_ENTRIES: u64 = 100_000;

/// Redis key of a floor document.
pub fn floor_key(id: Uuid) -> String {
    format!("floor:{id}")
}

#[derive(Clone)]
struct Floors {
    body: Bytes,
    l1: moka::sync::Cache<Uuid, Bytes>,
    redis: Client,
    pool: PgPool,
}

/// Serves the floors until the process is stopped. Table `floor.document(id uuid, body bytea)` holds the bodies.
pub async fn serve(address: SocketAddr, database_url: &str, redis_url: &str) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(POOL_SIZE).connect(database_url).await?;
    let redis = Builder::from_config(Config::from_url(redis_url)?).build()?;
    redis.init().await.context("connecting to Redis")?;

    let l1 = moka::sync::Cache::new(L1_ENTRIES);
    let mut body = Bytes::new();
    for row in sqlx::query("select id, body from floor.document").fetch_all(&pool).await? {
        let id: Uuid = row.get("id");
        body = Bytes::from(row.get::<Vec<u8>, _>("body"));
        l1.insert(id, body.clone());
        let () = redis.set(floor_key(id), body.clone(), None, None, false).await?;
    }

    let app = Router::new()
        .route("/bare/{id}", get(bare))
        .route("/l1/{id}", get(from_l1))
        .route("/l2/{id}", get(from_redis))
        .route("/pg/{id}", get(from_postgres))
        .with_state(Arc::new(Floors { body, l1, redis, pool }));
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, app).await.context("serving the floors")
}

fn json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn bare(State(floors): State<Arc<Floors>>, Path(_): Path<Uuid>) -> Response {
    json(floors.body.clone())
}

async fn from_l1(State(floors): State<Arc<Floors>>, Path(id): Path<Uuid>) -> Response {
    floors.l1.get(&id).map_or_else(|| StatusCode::NOT_FOUND.into_response(), json)
}

async fn from_redis(State(floors): State<Arc<Floors>>, Path(id): Path<Uuid>) -> Response {
    match floors.redis.get::<Option<Bytes>, _>(floor_key(id)).await {
        Ok(Some(body)) => json(body),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

async fn from_postgres(State(floors): State<Arc<Floors>>, Path(id): Path<Uuid>) -> Response {
    let found = sqlx::query_scalar::<_, Vec<u8>>("select body from floor.document where id = $1")
        .bind(id)
        .fetch_optional(&floors.pool)
        .await;
    match found {
        Ok(Some(body)) => json(body.into()),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
