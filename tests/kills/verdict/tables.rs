//! What the tables say, seen by their owner.

use std::collections::HashSet;

use anyhow::Result;
use sqlx::{AssertSqlSafe, PgConnection};
use system_tests::topics::SCHEMAS;
use uuid::Uuid;

/// What is under way, by name.
const UNFINISHED: [(&str, &str); 5] = [
    ("acceptances without an order", LOST_ORDERS),
    ("tasks", r#"select count(*) from "order".task where state not in ('completed', 'skipped', 'cancelled')"#),
    (
        "cancellations",
        r#"select count(*) from "order".cancellation where state not in ('done', 'terminatedWithError')"#,
    ),
    ("orders", r#"select count(*) from "order".product_order where state not in ('completed', 'cancelled')"#),
    ("quotes", "select count(*) from quote.quote where state = 'won'"),
];

const LOST_ORDERS: &str = r#"select count(*) from quote.revision r where r.state in ('accepted', 'ordered')
    and not exists (select from "order".product_order o where (o.tenant_id, o.quote_id, o.revision_no)
        = (r.tenant_id, r.quote_id, r.revision_no))"#;

/// What must be nought, by name.
const FAULTS: [(&str, &str); 9] = [
    ("accepted quotes without an order", LOST_ORDERS),
    (
        "orders of quotes that nobody accepted",
        r#"select count(*) from "order".product_order o where not exists (select from quote.revision r
            where (r.tenant_id, r.quote_id, r.revision_no) = (o.tenant_id, o.quote_id, o.revision_no)
            and r.state in ('accepted', 'ordered'))"#,
    ),
    (
        "quotes with two orders",
        r#"select count(*) from (select quote_id from "order".product_order group by tenant_id, quote_id
            having count(*) > 1) as doubled"#,
    ),
    (
        "invoices asked for twice",
        r#"select count(*) from (select aggregate_id from "order".outbox where event_type = 'InvoiceHandoffRequested'
            group by tenant_id, aggregate_id having count(*) > 1) as doubled"#,
    ),
    (
        "completed orders without a request to invoice",
        r#"select count(*) from "order".product_order o where state = 'completed' and invoice_handoff <> 'none'
            and not exists (select from "order".invoice_handoff h where (h.tenant_id, h.order_id) = (o.tenant_id, o.order_id))"#,
    ),
    (
        "tasks done twice: two reservations of one order were committed",
        "select count(*) from (select reference from inventory.reservation where state = 'committed'
            group by tenant_id, reference having count(*) > 1) as doubled",
    ),
    ("goods still promised to somebody", "select count(*) from inventory.stock_level where reserved <> 0"),
    ("tasks that fell out", r#"select count(*) from "order".task where state = 'fallout'"#),
    (
        "versions of an aggregate with two events, or none",
        r#"select count(*) from (select 1 from (
              select tenant_id, aggregate_type, aggregate_id, aggregate_version, 'o' as of from "order".outbox
              union all select tenant_id, aggregate_type, aggregate_id, aggregate_version, 'q' from quote.outbox
              union all select tenant_id, aggregate_type, aggregate_id, aggregate_version, 'i' from inventory.outbox
            ) as event group by of, tenant_id, aggregate_type, aggregate_id
            having count(*) <> max(aggregate_version) or count(distinct aggregate_version) <> count(*)) as broken"#,
    ),
];

async fn count(conn: &mut PgConnection, statement: &str) -> Result<i64> {
    let (count,): (i64,) = sqlx::query_as(AssertSqlSafe(statement.to_owned())).fetch_one(conn).await?;
    Ok(count)
}

/// How much is under way.
pub async fn unfinished(conn: &mut PgConnection) -> Result<i64> {
    Ok(what_is_unfinished(conn).await?.into_iter().map(|(_, count)| count).sum())
}

/// The same by name.
pub async fn what_is_unfinished(conn: &mut PgConnection) -> Result<Vec<(&'static str, i64)>> {
    counted(conn, &UNFINISHED).await
}

/// What must be nought, with what was found; and keys that are parked.
pub async fn faults(conn: &mut PgConnection) -> Result<Vec<(&'static str, i64)>> {
    let mut faults = counted(conn, &FAULTS).await?;
    let mut parked = 0;
    for schema in SCHEMAS {
        parked += count(conn, &format!("select count(*) from \"{schema}\".parked_key")).await?;
    }
    faults.push(("keys that are parked", parked));
    Ok(faults)
}

async fn counted(conn: &mut PgConnection, all: &[(&'static str, &str)]) -> Result<Vec<(&'static str, i64)>> {
    let mut found = Vec::with_capacity(all.len());
    for (name, statement) in all {
        found.push((*name, count(conn, statement).await?));
    }
    Ok(found)
}

/// The ids of all events in all outboxes.
pub async fn outbox(conn: &mut PgConnection) -> Result<HashSet<Uuid>> {
    let mut ids = HashSet::new();
    for schema in SCHEMAS {
        let sql = format!("select event_id from \"{schema}\".outbox");
        let rows: Vec<(Uuid,)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut *conn).await?;
        ids.extend(rows.into_iter().map(|(id,)| id));
    }
    Ok(ids)
}

/// Quotes that have an order.
pub async fn ordered_quotes(conn: &mut PgConnection) -> Result<Vec<String>> {
    let rows: Vec<(String,)> =
        sqlx::query_as(r#"select quote_id::text from "order".product_order"#).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Units of a product that left for good: ordered, not cancelled, of orders that were not cancelled as a whole.
pub async fn sold(conn: &mut PgConnection, product: &str) -> Result<i64> {
    let sql = r#"select coalesce(sum(i.quantity - i.cancelled_quantity), 0)::bigint from "order".order_item i
        join "order".product_order o using (tenant_id, order_id)
        where i.offering_id = $1::uuid and i.stocked and o.state = 'completed'"#;
    let (units,): (i64,) = sqlx::query_as(sql).bind(product).fetch_one(conn).await?;
    Ok(units)
}
