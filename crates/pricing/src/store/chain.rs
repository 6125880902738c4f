//! The tenant's hash chain over its sealed prices.

use kernel::{ContentHash, PriceResultId, TenantId};
use sqlx::PgConnection;

use super::words;
use crate::rules::evidence::{Link, LinkInPlace};

/// Appends a seal to the tenant's chain and returns its link. Takes the lock that all sealing of the tenant waits for:
/// the last statement before the commit, with everything it needs computed beforehand.
pub async fn append_seal(
    conn: &mut PgConnection,
    tenant: &TenantId,
    result: PriceResultId,
    seal_hash: ContentHash,
) -> Result<Link, sqlx::Error> {
    let row = sqlx::query!(
        r#"with head as (
               insert into pricing.evidence_chain as chain (tenant_id, length, previous_hash, head_hash)
               values ($1, 1, decode(repeat('00', 32), 'hex'), sha256(decode(repeat('00', 32), 'hex') || $3))
               on conflict (tenant_id) do update
                   set length = chain.length + 1,
                       previous_hash = chain.head_hash,
                       head_hash = sha256(chain.head_hash || $3)
               returning length, previous_hash, head_hash
           )
           insert into pricing.price_seal (tenant_id, chain_no, price_result_id, seal_hash, previous_hash, chain_hash)
           select $1, length, $2, $3, previous_hash, head_hash from head
           returning previous_hash, chain_hash"#,
        tenant.as_str(),
        result.uuid(),
        seal_hash.as_bytes().as_slice(),
    )
    .fetch_one(conn)
    .await?;
    Ok(Link {
        seal_hash,
        previous_hash: words::hash("previous_hash", &row.previous_hash)?,
        chain_hash: words::hash("chain_hash", &row.chain_hash)?,
    })
}

/// The link of a sealed price.
pub async fn select_link(
    conn: &mut PgConnection,
    tenant: &TenantId,
    result: PriceResultId,
) -> Result<Option<LinkInPlace>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select s.chain_no, s.seal_hash, s.previous_hash, s.chain_hash,
                  before.chain_hash as "before?",
                  coalesce(after.previous_hash, head.head_hash) as "after?"
           from pricing.price_seal s
           left join pricing.price_seal before on before.tenant_id = s.tenant_id and before.chain_no = s.chain_no - 1
           left join pricing.price_seal after on after.tenant_id = s.tenant_id and after.chain_no = s.chain_no + 1
           left join pricing.evidence_chain head on head.tenant_id = s.tenant_id and head.length = s.chain_no
           where s.tenant_id = $1 and s.price_result_id = $2"#,
        tenant.as_str(),
        result.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let first = row.chain_no == 1;
        let before = row.before.map(|bytes| words::hash("chain_hash", &bytes)).transpose()?;
        Ok(LinkInPlace {
            link: Link {
                seal_hash: words::hash("seal_hash", &row.seal_hash)?,
                previous_hash: words::hash("previous_hash", &row.previous_hash)?,
                chain_hash: words::hash("chain_hash", &row.chain_hash)?,
            },
            hash_before: before.or_else(|| first.then(|| ContentHash::from([0; 32]))),
            hash_after: row.after.map(|bytes| words::hash("previous_hash", &bytes)).transpose()?,
        })
    })
    .transpose()
}
