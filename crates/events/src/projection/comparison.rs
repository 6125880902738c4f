//! What two builds of a table say differently.

use serde::Serialize;
use sqlx::{AssertSqlSafe, FromRow, PgConnection};

use super::ProjectedTable;

/// Keys named of each kind of difference: enough to look at, too few to fill a screen.
const EXAMPLES: i64 = 10;

/// How a row of the live build differs from the rebuilt one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DifferenceKind {
    /// Only the rebuild has it.
    Missing,
    /// Only the live build has it: no event in the log tells of it.
    Unknown,
    /// The same version, but it says something else.
    Content,
    /// The live row has an older version.
    Older,
    /// The live row has a newer version: the log has lost events, or the rebuild could not read them.
    Newer,
}

impl DifferenceKind {
    /// The kind as it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Content => "content",
            Self::Older => "older",
            Self::Newer => "newer",
        }
    }

    /// Whether it shows as long as the live consumer has not read everything yet.
    pub const fn may_be_lag(self) -> bool {
        matches!(self, Self::Missing | Self::Older)
    }

    fn named(text: &str) -> Option<Self> {
        [Self::Missing, Self::Unknown, Self::Content, Self::Older, Self::Newer]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Rows of one table that differ in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// In which way.
    pub kind: DifferenceKind,
    /// How many.
    pub rows: u64,
    /// Some of them, as `tenant:id`.
    pub examples: Vec<String>,
}

#[derive(FromRow)]
struct Counted {
    kind: String,
    rows: i64,
    examples: Vec<String>,
}

/// Compares build `live` of a table with build `rebuilt`, over all tenants.
pub(super) async fn compare(
    conn: &mut PgConnection,
    schema: &str,
    table: ProjectedTable,
    (live, rebuilt): (i32, i32),
) -> Result<Vec<Difference>, sqlx::Error> {
    let ProjectedTable { name, key } = table;
    let rows = format!(
        "select tenant_id, {key} as row_key, version, to_jsonb(t) - 'build' as content from \"{schema}\".\"{name}\" t where build ="
    );
    let sql = format!(
        "with difference as materialized ( \
           select tenant_id || ':' || row_key as named, \
             case when l.version is null then 'missing' when r.version is null then 'unknown' \
               when l.version < r.version then 'older' when l.version > r.version then 'newer' else 'content' end as kind \
           from ({rows} $1) l full join ({rows} $2) r using (tenant_id, row_key) \
           where l.content is distinct from r.content) \
         select kind, count(*) as rows, \
           array(select named from difference d where d.kind = difference.kind order by named limit $3) as examples \
         from difference group by kind order by kind"
    );
    let counted: Vec<Counted> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(live).bind(rebuilt).bind(EXAMPLES).fetch_all(conn).await?;
    let difference = |counted: Counted| {
        let kind = DifferenceKind::named(&counted.kind)?;
        let rows = u64::try_from(counted.rows).unwrap_or_default();
        Some(Difference { table: name, kind, rows, examples: counted.examples })
    };
    Ok(counted.into_iter().filter_map(difference).collect())
}
