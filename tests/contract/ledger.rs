//! Whether anything was written: a witness in every table of every service notes each row that is inserted, changed or
//! deleted.
//!
//! The note is made in the transaction of the write, so what is rolled back was never noted; and it is made even where a
//! row is written again with the same content.

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};

/// Puts the witnesses up. They note as the owner: the services need no right to the notes.
const WITNESSES: &str = r"
create schema witness;
create table witness.note (id bigint generated always as identity primary key, table_name text not null);
create function witness.note_write() returns trigger language plpgsql security definer as $$
begin
  insert into witness.note (table_name) values (tg_table_schema || '.' || tg_table_name);
  return null;
end $$;
do $$
declare
  target text;
begin
  for target in
    select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('catalog', 'pricing', 'quote', 'order', 'inventory')
      and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'schema_migrations'
  loop
    execute format('create trigger witness after insert or update or delete on %s
                    for each row execute function witness.note_write()', target);
  end loop;
end $$;
";

/// The notes.
pub struct Ledger {
    connection: PgConnection,
}

/// A place between two notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(i64);

impl Ledger {
    /// Puts the witnesses up, as the owner of the database.
    pub async fn open(owner_url: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(owner_url).await.context("cannot connect as the owner")?;
        sqlx::raw_sql(WITNESSES).execute(&mut connection).await.context("the witnesses cannot be put up")?;
        let witnesses: i64 = sqlx::query_scalar("select count(*) from pg_trigger where tgname = 'witness'")
            .fetch_one(&mut connection)
            .await?;
        anyhow::ensure!(witnesses > 20, "there are {witnesses} witnesses only");
        Ok(Self { connection })
    }

    /// The end of what was noted so far.
    pub async fn mark(&mut self) -> Result<Mark> {
        let last = sqlx::query_scalar("select coalesce(max(id), 0) from witness.note");
        Ok(Mark(last.fetch_one(&mut self.connection).await?))
    }

    /// The tables that were written since.
    pub async fn written_since(&mut self, mark: Mark) -> Result<Vec<String>> {
        let tables = sqlx::query_scalar("select distinct table_name from witness.note where id > $1 order by 1");
        Ok(tables.bind(mark.0).fetch_all(&mut self.connection).await?)
    }
}
