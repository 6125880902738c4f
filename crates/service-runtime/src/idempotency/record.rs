//! The idempotency record in PostgreSQL: table `<service>.idempotency_record`, made by `platform.create_idempotency`.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use kernel::{ContentHash, TenantId};
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgPool};

use super::{CommandResponse, IdempotencyKey};
use crate::{Caller, Problem, TenantTx, tenant_tx::set_tenant};

/// How long a repeat waits for the first to end before it is told to come back: most commands take milliseconds.
const CLAIM_WAIT_MS: u32 = 2_000;

/// How long a repeat is told to stay away.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The wait for another transaction was too long (SQLSTATE).
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// One use of a key.
pub(super) struct Claim<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) route: &'static str,
    pub(super) key_hash: ContentHash,
    pub(super) fingerprint: ContentHash,
}

/// What came of a claim.
pub(super) enum Claimed {
    /// Nobody used the key; the transaction holds it now.
    Ours(TenantTx),
    /// The command was done before.
    Done {
        /// The request it was done for.
        fingerprint: ContentHash,
        /// What was answered.
        response: CommandResponse,
    },
}

impl<'a> Claim<'a> {
    /// The fingerprint covers the subject: the answer of one user is not replayed to another.
    pub(super) fn new(
        caller: &'a Caller,
        key: &IdempotencyKey,
        route: &'static str,
        request: &impl Serialize,
    ) -> Result<Self, Problem> {
        let fingerprint = ContentHash::of_json(&(&*caller.subject, request)).map_err(Problem::internal)?;
        Ok(Self { tenant: &caller.tenant, route, key_hash: key.hash(), fingerprint })
    }
}

/// The statements on one service's table.
pub(crate) struct Records {
    table: String,
    complete: Arc<str>,
    find: Arc<str>,
}

#[derive(sqlx::FromRow)]
struct StoredRow {
    fingerprint: Vec<u8>,
    status: Option<i16>,
    body: Option<Vec<u8>>,
    content_type: Option<String>,
    etag: Option<String>,
    location: Option<String>,
}

impl Records {
    /// The statements for the schema of `service`.
    pub(crate) fn of(service: &'static str) -> Self {
        // Quoted: `order` is a word of SQL.
        let table = format!(r#""{service}".idempotency_record"#);
        let complete = format!(
            "update {table} set status = $4, body = $5, content_type = $6, etag = $7, location = $8 \
             where tenant_id = $1 and route = $2 and key_hash = $3"
        );
        let find = format!(
            "select fingerprint, status, body, content_type, etag, location from {table} \
             where tenant_id = $1 and route = $2 and key_hash = $3"
        );
        Self { table, complete: complete.into(), find: find.into() }
    }

    /// Begins a transaction and claims the key in one round trip. While another transaction holds the key this waits for
    /// its end: if it rolls back the key is ours, if it commits its answer is found.
    pub(super) async fn claim(&self, pool: &PgPool, claim: &Claim<'_>) -> Result<Claimed, Problem> {
        match TenantTx::begin_with(pool, self.claim_statements(claim)).await {
            Ok((tx, 1)) => Ok(Claimed::Ours(tx)),
            Ok((tx, _)) => self.find(tx, claim).await,
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                Err(in_progress())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Every value is a DNS label, hex digits, or a name from our own source text.
    fn claim_statements(&self, claim: &Claim<'_>) -> String {
        format!(
            "begin; {}; set local lock_timeout = {CLAIM_WAIT_MS}; \
             insert into {} (tenant_id, route, key_hash, fingerprint) values ('{}', '{}', '\\x{}', '\\x{}') \
             on conflict do nothing; set local lock_timeout to default",
            set_tenant(claim.tenant),
            self.table,
            claim.tenant,
            claim.route.replace('\'', "''"),
            claim.key_hash,
            claim.fingerprint,
        )
    }

    async fn find(&self, mut tx: TenantTx, claim: &Claim<'_>) -> Result<Claimed, Problem> {
        let found = self.answer_of(&mut tx, claim.tenant, claim.route, claim.key_hash).await?;
        tx.rollback().await?;
        // None: swept between the claim and this read, ninety days later to the millisecond.
        let (fingerprint, response) = found.ok_or_else(in_progress)?;
        Ok(Claimed::Done { fingerprint, response })
    }

    /// The request and the answer of a committed record.
    pub(super) async fn answer_of(
        &self,
        tx: &mut TenantTx,
        tenant: &TenantId,
        route: &str,
        key_hash: ContentHash,
    ) -> Result<Option<(ContentHash, CommandResponse)>, sqlx::Error> {
        let found = sqlx::query_as::<_, StoredRow>(AssertSqlSafe(Arc::clone(&self.find)))
            .bind(tenant.as_str())
            .bind(route)
            .bind(key_hash.as_bytes().as_slice())
            .fetch_optional(&mut **tx)
            .await?;
        Ok(found.and_then(StoredRow::into_done))
    }

    /// Stores the answer in the record this transaction claimed.
    pub(super) async fn complete(
        &self,
        tx: &mut TenantTx,
        claim: &Claim<'_>,
        response: &CommandResponse,
    ) -> Result<(), Problem> {
        let changed = sqlx::query(AssertSqlSafe(Arc::clone(&self.complete)))
            .bind(claim.tenant.as_str())
            .bind(claim.route)
            .bind(claim.key_hash.as_bytes().as_slice())
            .bind(i16::try_from(response.status.as_u16()).unwrap_or_default())
            .bind(&response.body)
            .bind(&response.content_type)
            .bind(response.etag.as_deref())
            .bind(response.location.as_deref())
            .execute(&mut **tx)
            .await?
            .rows_affected();
        if changed == 1 { Ok(()) } else { Err(Problem::internal("the claimed idempotency record is gone")) }
    }
}

impl StoredRow {
    fn into_done(self) -> Option<(ContentHash, CommandResponse)> {
        let fingerprint = <[u8; 32]>::try_from(self.fingerprint).ok()?.into();
        let status = u16::try_from(self.status?).ok().and_then(|code| StatusCode::from_u16(code).ok())?;
        let response = CommandResponse {
            status,
            body: self.body.unwrap_or_default(),
            content_type: self.content_type.unwrap_or_default(),
            etag: self.etag,
            location: self.location,
        };
        Some((fingerprint, response))
    }
}

fn in_progress() -> Problem {
    Problem::conflict("idempotency-key-in-progress", "The same command is still running").retry_after(RETRY_AFTER)
}
