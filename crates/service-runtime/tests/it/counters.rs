//! A service of counters: the smallest that has a table, a command, a refusal and a read.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{FromRef, State},
    response::Response,
};
use cache_engine::{Engine, EngineConfig, MemoryStore, NoStore};
use cache_ports::Caches;
use dev_stack::test::TestDatabase;
use http::StatusCode;
use kernel::{TenantId, Version};
use serde::{Deserialize, Serialize};
use service_runtime::{
    ApiResult, Caller, CommandResponse, DatabaseConfig, IfMatch, Limit, OptionalIdempotencyKey, Page, Params, PathId,
    Problem, Role, ServiceState, Settings, TenantTx, Valid, Versioned, idempotent, pool, service_router,
    testing::{TestClient, TestIdentity, TestService},
};
use sqlx::{Connection, PgConnection, PgPool};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use validator::Validate;

const TABLES: &str = "
    create schema catalog;
    create table catalog.counter (
        tenant_id text not null, name text not null, value bigint not null check (value < 1000), version bigint not null,
        primary key (tenant_id, name));
    select platform.isolate_tenant('catalog.counter');
    select platform.create_idempotency('catalog');
    select platform.grant_service('catalog');";

/// The service under test with its database.
pub struct Counters {
    pub service: TestService,
    pub identity: TestIdentity,
    pub pool: PgPool,
    pub caches: Caches,
    pub database: TestDatabase,
}

pub fn tenant(name: &str) -> TenantId {
    name.parse().expect("a tenant id")
}

pub fn with_cache() -> Caches {
    Engine::new(Arc::new(MemoryStore::new()), EngineConfig::default()).caches()
}

pub fn without_cache() -> Caches {
    Engine::new(Arc::new(NoStore), EngineConfig::default()).caches()
}

/// A database with the counters' tables, and a pool of the role `catalog_serve`.
pub async fn database() -> (TestDatabase, PgPool) {
    let database = dev_stack::test::database(&["platform"]).await.expect("a test database");
    let mut admin = PgConnection::connect(&database.admin_url()).await.expect("the test server answers");
    sqlx::raw_sql(TABLES).execute(&mut admin).await.expect("the tables are made");
    admin.close().await.expect("the connection closes");
    let pool = pool_of(&database, "catalog_serve", 8);
    (database, pool)
}

pub fn pool_of(database: &TestDatabase, role: &str, max_connections: u32) -> PgPool {
    let runtime = Settings::load(&[], None).and_then(|settings| settings.runtime()).expect("defaults");
    let config = DatabaseConfig { max_connections, ..runtime.database };
    pool(&database.service_url(role).into(), "test", &config).expect("a pool")
}

impl Counters {
    pub async fn start(caches: Caches) -> Self {
        let (database, pool) = database().await;
        let identity = TestIdentity::new();
        let state = identity.service_state("catalog", pool.clone(), caches.clone());
        let service = TestService::start(router(state), &identity).await;
        Self { service, identity, pool, caches, database }
    }

    pub fn client(&self, tenant_name: &str) -> TestClient {
        self.service.client(&tenant(tenant_name), "keeper", &[Role::CatalogAdmin])
    }

    pub async fn value(&self, tenant_name: &str, counter: &str) -> i64 {
        let reply = self.client(tenant_name).get(&format!("/catalog/v1/counters/{counter}")).send().await;
        if reply.status == StatusCode::NOT_FOUND { 0 } else { reply.expect(200).value()["value"].as_i64().unwrap() }
    }
}

#[derive(Clone, FromRef)]
pub struct CounterState {
    runtime: ServiceState,
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Increment {
    #[validate(range(min = 1, max = 100))]
    step_size: i64,
    #[serde(default)]
    refuse: bool,
    #[serde(default)]
    pause_ms: u64,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Counter {
    name: String,
    value: i64,
}

pub fn router(runtime: ServiceState) -> Router {
    let routes = OpenApiRouter::new()
        .routes(routes!(list_counters))
        .routes(routes!(read_counter, reset_counter))
        .routes(routes!(increment))
        .routes(routes!(panics))
        .routes(routes!(sleeps))
        .routes(routes!(breaks_sql));
    let (counters, document) = service_router("catalog", "Counters", routes);
    assert!(document.paths.paths.contains_key("/catalog/v1/counters/{name}"));
    counters.with_state(CounterState { runtime })
}

#[utoipa::path(post, path = "/counters/{name}/increments", request_body = Increment,
    responses((status = 201, body = Counter), (status = 409, body = Problem)))]
async fn increment(
    State(state): State<CounterState>,
    caller: Caller,
    PathId(name): PathId<String>,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<Increment>,
) -> Result<Response, Problem> {
    caller.require(&[Role::CatalogAdmin])?;
    let request = (&name, &body);
    let command = async |tx: &mut TenantTx| {
        let (value, version) = add(tx, &caller.tenant, &name, body.step_size).await?;
        tokio::time::sleep(Duration::from_millis(body.pause_ms)).await;
        if body.refuse {
            return Err(Problem::conflict("refused", "The test asked for it"));
        }
        let counter = Counter { name: name.clone(), value };
        Ok(CommandResponse::created(format!("/catalog/v1/counters/{name}"), &counter)?.version(version))
    };
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "counter.increment", &request, command).await)
}

async fn add(tx: &mut TenantTx, tenant: &TenantId, name: &str, step: i64) -> Result<(i64, Version), sqlx::Error> {
    let (value, version): (i64, i64) = sqlx::query_as(
        "insert into catalog.counter (tenant_id, name, value, version) values ($1, $2, $3, 1)
         on conflict (tenant_id, name) do update set value = counter.value + $3, version = counter.version + 1
         returning value, version",
    )
    .bind(tenant.as_str())
    .bind(name)
    .bind(step)
    .fetch_one(&mut **tx)
    .await?;
    Ok((value, Version::from_i64(version)))
}

#[utoipa::path(get, path = "/counters/{name}", responses((status = 200, body = Counter), (status = 404, body = Problem)))]
async fn read_counter(
    State(state): State<CounterState>,
    caller: Caller,
    PathId(name): PathId<String>,
) -> ApiResult<Versioned<Counter>> {
    let mut tx = TenantTx::read(&state.runtime.pool, &caller.tenant).await?;
    let found: Option<(i64, i64)> = sqlx::query_as("select value, version from catalog.counter where name = $1")
        .bind(&name)
        .fetch_optional(&mut *tx)
        .await?;
    let (value, version) = found.ok_or_else(|| Problem::not_found("counter"))?;
    Ok(Versioned(Counter { name, value }, Version::from_i64(version)))
}

#[utoipa::path(delete, path = "/counters/{name}", responses((status = 200)))]
async fn reset_counter(
    State(state): State<CounterState>,
    caller: Caller,
    PathId(name): PathId<String>,
    if_match: IfMatch,
) -> ApiResult<Json<()>> {
    let mut tx = TenantTx::begin(&state.runtime.pool, &caller.tenant).await?;
    let (version,): (i64,) = sqlx::query_as("select version from catalog.counter where name = $1 for update")
        .bind(&name)
        .fetch_one(&mut *tx)
        .await?;
    if_match.check(Version::from_i64(version))?;
    sqlx::query("delete from catalog.counter where name = $1").bind(&name).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Json(()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParams {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

#[utoipa::path(get, path = "/counters", responses((status = 200, body = Page<Counter>)))]
async fn list_counters(
    State(state): State<CounterState>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> ApiResult<Json<Page<Counter>>> {
    let cursors = &state.runtime.cursors;
    let after = params.cursor.map(|text| cursors.open::<String>(&caller.tenant, "counters", &text)).transpose()?;
    let mut tx = TenantTx::read(&state.runtime.pool, &caller.tenant).await?;
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select name, value from catalog.counter where name > coalesce($1, '') order by tenant_id, name limit $2",
    )
    .bind(after)
    .bind(params.limit.plus_one())
    .fetch_all(&mut *tx)
    .await?;
    let counters = rows.into_iter().map(|(name, value)| Counter { name, value }).collect();
    let page = Page::from_rows(counters, params.limit, |last: &Counter| {
        cursors.seal(&caller.tenant, "counters", &last.name).expect("a name is JSON")
    });
    Ok(Json(page))
}

#[utoipa::path(get, path = "/panics", responses((status = 500)))]
async fn panics(_: Caller) {
    panic!("a secret in a panic");
}

#[utoipa::path(get, path = "/sleeps", responses((status = 200)))]
async fn sleeps(_: Caller) {
    tokio::time::sleep(Duration::from_millis(400)).await;
}

#[utoipa::path(get, path = "/breaks-sql", responses((status = 500)))]
async fn breaks_sql(State(state): State<CounterState>, caller: Caller) -> ApiResult<Json<()>> {
    let mut tx = TenantTx::read(&state.runtime.pool, &caller.tenant).await?;
    sqlx::query("select * from catalog.no_such_table").execute(&mut *tx).await?;
    Ok(Json(()))
}
