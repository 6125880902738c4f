//! The statements of the parking lot: `parked_key` and `parked_event`.

use kernel::Version;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, types::Json};

use super::guard::Hold;
use crate::{Delivery, Envelope, Partition, Record, republish::Wanted};

/// The parking lot of one consumer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lot {
    pub schema: &'static str,
    pub consumer: &'static str,
}

/// Why an event is parked.
#[derive(Debug)]
pub(crate) enum Reason {
    /// It could not be applied.
    Poison(String),
    /// A version before it is missing.
    Gap { wanted: Version },
    /// An earlier event of its key is parked.
    Behind,
}

/// The first event of a key, with its payload.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub id: i64,
    /// `None` where the record could not be read as an event.
    pub event: Option<Envelope>,
}

/// The ordering key a record is parked under. One without a key of its own holds nothing up but itself.
pub(crate) fn parking_key(delivery: &Delivery) -> String {
    match &delivery.record {
        Record::Event(event) => event.key(),
        Record::Unreadable { key: Some(key), .. } => key.clone(),
        Record::Unreadable { key: None, .. } => {
            format!("unkeyed:{}:{}:{}", delivery.partition.topic, delivery.partition.number, delivery.offset)
        }
    }
}

impl Lot {
    /// Parks a record, and its key if it is the first. Parking an event again changes nothing.
    pub async fn park(&self, conn: &mut PgConnection, delivery: &Delivery, reason: &Reason) -> Result<(), sqlx::Error> {
        let key = parking_key(delivery);
        let (hold, wanted, error) = match reason {
            Reason::Poison(error) => ("poison", None, error.clone()),
            Reason::Gap { wanted } => ("gap", Some(wanted.to_i64()), format!("version {wanted} is missing")),
            Reason::Behind => ("poison", None, "an earlier event of the key is parked".to_owned()),
        };
        let parked_key = format!(
            "insert into \"{}\".parked_key (consumer, event_key, reason, wanted_version) values ($1, $2, $3, $4) \
             on conflict (consumer, event_key) do nothing",
            self.schema
        );
        sqlx::query(AssertSqlSafe(parked_key))
            .bind(self.consumer)
            .bind(&key)
            .bind(hold)
            .bind(wanted)
            .execute(&mut *conn)
            .await?;
        let parked_event = format!(
            "insert into \"{}\".parked_event (consumer, event_key, topic, partition, log_offset, event_id, tenant_id, \
               event_type, aggregate_version, envelope, payload, error, attempts) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
             on conflict (consumer, event_key, event_id) do nothing",
            self.schema
        );
        let (event, payload) = match &delivery.record {
            Record::Event(event) => (Some(event), &event.data),
            Record::Unreadable { value, .. } => (None, value),
        };
        sqlx::query(AssertSqlSafe(parked_event))
            .bind(self.consumer)
            .bind(&key)
            .bind(&*delivery.partition.topic)
            .bind(delivery.partition.number)
            .bind(delivery.offset)
            .bind(event.map(|event| event.id.uuid()))
            .bind(event.map(|event| event.tenant.as_str()))
            .bind(event.map(|event| event.event_type.as_str()))
            .bind(event.map(|event| event.aggregate_version.to_i64()))
            .bind(event.map(Json))
            .bind(payload.as_ref())
            .bind(error)
            .bind(i32::from(matches!(reason, Reason::Poison(_))))
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Locks a key; `None` when it is not parked.
    pub async fn lock_key(&self, conn: &mut PgConnection, key: &str) -> Result<Option<Hold>, sqlx::Error> {
        let sql = format!(
            "select reason from \"{}\".parked_key where consumer = $1 and event_key = $2 for update",
            self.schema
        );
        let reason: Option<(String,)> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(self.consumer).bind(key).fetch_optional(conn).await?;
        Ok(reason.map(|(reason,)| if reason == "gap" { Hold::Gap } else { Hold::Poison }))
    }

    /// The event of a key that must be applied first. A record that could not be read comes before all others: what it
    /// would have changed is unknown.
    pub async fn first(&self, conn: &mut PgConnection, key: &str) -> Result<Option<Waiting>, sqlx::Error> {
        let sql = format!(
            "select id, envelope, payload from \"{}\".parked_event where consumer = $1 and event_key = $2 \
             order by aggregate_version nulls first, id limit 1",
            self.schema
        );
        let row: Option<ParkedRow> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(self.consumer).bind(key).fetch_optional(conn).await?;
        Ok(row.map(|row| {
            let event = row.envelope.map(|Json(mut event)| {
                event.data = row.payload.into();
                event
            });
            Waiting { id: row.id, event }
        }))
    }

    /// Takes one event out of the lot, and its key with the last one. The key must be locked by an earlier statement.
    pub async fn remove(&self, conn: &mut PgConnection, key: &str, id: i64) -> Result<(), sqlx::Error> {
        let event =
            format!("delete from \"{}\".parked_event where consumer = $1 and event_key = $2 and id = $3", self.schema);
        sqlx::query(AssertSqlSafe(event)).bind(self.consumer).bind(key).bind(id).execute(&mut *conn).await?;
        let empty = format!(
            "delete from \"{0}\".parked_key as parked where consumer = $1 and event_key = $2 and not exists \
               (select from \"{0}\".parked_event e where e.consumer = $1 and e.event_key = parked.event_key)",
            self.schema
        );
        sqlx::query(AssertSqlSafe(empty)).bind(self.consumer).bind(key).execute(conn).await?;
        Ok(())
    }

    /// Notes that an event failed again.
    pub async fn failed(&self, conn: &mut PgConnection, key: &str, id: i64, error: &str) -> Result<(), sqlx::Error> {
        let event =
            format!("update \"{}\".parked_event set attempts = attempts + 1, error = $2 where id = $1", self.schema);
        sqlx::query(AssertSqlSafe(event)).bind(id).bind(error).execute(&mut *conn).await?;
        self.hold(conn, key, Hold::Poison, None).await
    }

    /// Changes what a key waits for.
    pub async fn hold(
        &self,
        conn: &mut PgConnection,
        key: &str,
        hold: Hold,
        wanted: Option<Version>,
    ) -> Result<(), sqlx::Error> {
        let sql = format!(
            "update \"{}\".parked_key set reason = $3, wanted_version = $4 where consumer = $1 and event_key = $2",
            self.schema
        );
        let reason = if hold == Hold::Gap { "gap" } else { "poison" };
        sqlx::query(AssertSqlSafe(sql))
            .bind(self.consumer)
            .bind(key)
            .bind(reason)
            .bind(wanted.map(Version::to_i64))
            .execute(conn)
            .await?;
        Ok(())
    }

    /// How many keys are parked, and for how many seconds the oldest has been.
    pub async fn size(&self, conn: &mut PgConnection) -> Result<(i64, f64), sqlx::Error> {
        let sql = format!(
            "select count(*), coalesce(extract(epoch from clock_timestamp() - min(parked_at)), 0)::float8 \
             from \"{}\".parked_key where consumer = $1",
            self.schema
        );
        sqlx::query_as(AssertSqlSafe(sql)).bind(self.consumer).fetch_one(conn).await
    }

    /// What keys of these partitions wait for, oldest first.
    pub async fn wanted(
        &self,
        conn: &mut PgConnection,
        partitions: &[Partition],
        limit: i64,
    ) -> Result<Vec<Wanted>, sqlx::Error> {
        let sql = format!(
            "select k.wanted_version, first.topic, first.envelope from \"{0}\".parked_key k \
             cross join lateral (select e.topic, e.partition, e.envelope from \"{0}\".parked_event e \
               where e.consumer = k.consumer and e.event_key = k.event_key \
               order by e.aggregate_version nulls first, e.id limit 1) as first \
             where k.consumer = $1 and k.reason = 'gap' and k.wanted_version is not null and first.envelope is not null \
               and (first.topic, first.partition) in (select * from unnest($2::text[], $3::integer[])) \
             order by k.parked_at limit $4",
            self.schema
        );
        let topics: Vec<&str> = partitions.iter().map(|partition| &*partition.topic).collect();
        let numbers: Vec<i32> = partitions.iter().map(|partition| partition.number).collect();
        let rows: Vec<(i64, String, Json<Envelope>)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(self.consumer)
            .bind(topics)
            .bind(numbers)
            .bind(limit)
            .fetch_all(conn)
            .await?;
        let wanted = |(version, topic, Json(first)): (i64, String, Json<Envelope>)| {
            Wanted::before(&first, topic.into(), Version::from_i64(version))
        };
        Ok(rows.into_iter().map(wanted).collect())
    }

    /// Keys that wait for a missing version, oldest first.
    pub async fn gaps(&self, conn: &mut PgConnection, limit: i64) -> Result<Vec<String>, sqlx::Error> {
        let sql = format!(
            "select event_key from \"{}\".parked_key where consumer = $1 and reason = 'gap' order by parked_at limit $2",
            self.schema
        );
        let keys: Vec<(String,)> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(self.consumer).bind(limit).fetch_all(conn).await?;
        Ok(keys.into_iter().map(|(key,)| key).collect())
    }
}

#[derive(FromRow)]
struct ParkedRow {
    id: i64,
    envelope: Option<Json<Envelope>>,
    payload: Vec<u8>,
}
