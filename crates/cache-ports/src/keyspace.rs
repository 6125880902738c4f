//! A keyspace: the typed answers of the design review for one kind of cached thing.
//!
//! Owns the words of the answers and the rules that make them coherent; an incoherent answer does not compile, because every
//! declaration goes through [`Keyspace::declared`] in a constant. Must never know which store or client serves it.

mod audit;
mod coherence;

use std::time::Duration;

pub use audit::Audit;

/// Bytes in a kibibyte.
pub const KIB: u32 = 1024;
/// Bytes in a mebibyte.
pub const MIB: u32 = 1024 * KIB;

/// Everything that must be known about a kind of cached thing before its first byte is written.
#[derive(Debug)]
pub struct Keyspace {
    /// What people, metrics and documents call it.
    pub name: &'static str,
    /// The key, with `{dimension}` for each dimension, the tenant first.
    pub template: &'static str,
    /// The dimensions, in the order of the template.
    pub dimensions: &'static [Dimension],
    /// Whether keys of one tenant must lie in one cluster slot because they are used together in one script.
    pub slot: Slot,
    /// Whose credentials may write it.
    pub owner: Owner,
    /// Other services whose credentials may read it.
    pub readers: &'static [Service],
    /// The kind of work it is for, which decides its connections and credentials.
    pub workload: Workload,
    /// Where the truth is when the store is empty.
    pub authority: Authority,
    /// What keeps it from going stale.
    pub coherence: Coherence,
    /// How it is seen that this works.
    pub audit: Audit,
    /// Whether a command may rest on it.
    pub revalidation: Revalidation,
    /// How long it lives.
    pub ttl: Ttl,
    /// How it is loaded; absent for what is never loaded, such as counters and locks.
    pub loading: Option<LoadLimits>,
    /// The schema versions of the value.
    pub schema: SchemaVersions,
    /// How big a value may be.
    pub size: SizeLimit,
    /// Who may see it.
    pub exposure: Exposure,
    /// How hot it may become, and what carries the heat.
    pub heat: Heat,
    /// What happens while the store is away.
    pub on_unavailable: OnUnavailable,
    /// Why commands stay right without it.
    pub correctness: &'static str,
}

/// One variable part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimension {
    /// Its name in the template.
    pub name: &'static str,
    /// What it may hold.
    pub kind: DimensionKind,
}

/// What a dimension may hold; each kind has one written form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DimensionKind {
    /// The tenant, from the authenticated caller only.
    Tenant,
    /// A UUID, hyphenated, lower case.
    Id,
    /// A whole number, decimal.
    Number,
    /// A SHA-256 digest, hexadecimal.
    Hash,
    /// Short text: escaped; longer than [`crate::key::MAX_TEXT_BYTES`], it is replaced by its hash.
    Text,
}

/// Which cluster slot a key lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Any: each key is used alone.
    ByKey,
    /// The tenant's: the tenant is written in braces, so that several keys fit one script.
    ByTenant,
}

/// A service that owns or reads a keyspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// The catalog.
    Catalog,
    /// Pricing.
    Pricing,
    /// Quotes.
    Quote,
    /// Orders.
    Order,
    /// Inventory.
    Inventory,
}

impl Service {
    /// All services.
    pub const ALL: &'static [Self] = &[Self::Catalog, Self::Pricing, Self::Quote, Self::Order, Self::Inventory];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Pricing => "pricing",
            Self::Quote => "quote",
            Self::Order => "order",
            Self::Inventory => "inventory",
        }
    }
}

/// Whose credentials may write a keyspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// One service's.
    One(Service),
    /// Every service's: each writes keys of its own routes, quotes and loads.
    EveryService,
}

/// The kind of work a keyspace is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Workload {
    /// Published catalog content and price books.
    Catalog,
    /// Summaries for lists and headers.
    Summary,
    /// Computed previews.
    Preview,
    /// Rate-limit counters.
    RateLimit,
    /// Answers of commands that are done.
    Idempotency,
    /// Locks.
    Lock,
    /// What a subject may do, and other answers that last as long as somebody works.
    Session,
    /// Edits that are not saved yet.
    Draft,
    /// Counts of what happens, on their way to the metrics.
    Counter,
    /// Word between the memories of processes about what changed.
    Hint,
    /// Short lists of what to do or to show next, local to one service.
    Stream,
}

impl Workload {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Summary => "summary",
            Self::Preview => "preview",
            Self::RateLimit => "rate-limit",
            Self::Idempotency => "idempotency",
            Self::Lock => "lock",
            Self::Session => "session",
            Self::Draft => "draft",
            Self::Counter => "counter",
            Self::Hint => "hint",
            Self::Stream => "stream",
        }
    }

    /// The pool that does it.
    pub const fn pool(self) -> Pool {
        match self {
            Self::Catalog | Self::Summary => Pool::Content,
            Self::Preview => Pool::Preview,
            Self::RateLimit | Self::Counter => Pool::RateLimit,
            Self::Idempotency | Self::Lock => Pool::Coordination,
            Self::Session | Self::Draft => Pool::Session,
            Self::Hint | Self::Stream => Pool::Hints,
        }
    }
}

/// Connections and credentials that workloads share, and a server of their own where one is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pool {
    /// Catalog content and summaries.
    Content,
    /// Previews.
    Preview,
    /// Rate limits and other counts.
    RateLimit,
    /// Idempotency and locks.
    Coordination,
    /// Access profiles and drafts.
    Session,
    /// Hints and streams.
    Hints,
}

impl Pool {
    /// All pools.
    pub const ALL: [Self; 6] =
        [Self::Content, Self::Preview, Self::RateLimit, Self::Coordination, Self::Session, Self::Hints];

    /// Whether its keys may be evicted one by one without a word: what is only a copy may, what counts, locks, remembers or
    /// lists may not. It would still do no harm, but help less than it seems to.
    pub const fn tolerates_eviction(self) -> bool {
        matches!(self, Self::Content | Self::Preview)
    }

    /// Its word in configuration, metrics and user names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Preview => "preview",
            Self::RateLimit => "rate-limit",
            Self::Coordination => "coordination",
            Self::Session => "session",
            Self::Hints => "hints",
        }
    }
}

/// Where the truth is when the store is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// A table of PostgreSQL.
    Table(&'static str),
    /// Computed from tables of PostgreSQL.
    Computed(&'static str),
    /// The metrics, which get it from here: what is lost on the way is missing there.
    Metrics,
    /// Nowhere: it is worth nothing a moment later.
    Ephemeral,
}

/// An event that makes older values unacceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidatingEvent {
    /// The event's type.
    pub event_type: &'static str,
    /// The aggregate whose version it carries, which is the version of the cached value.
    pub versioned_by: &'static str,
}

/// What keeps a value from going stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coherence {
    /// The key names everything the value depends on: what it holds never changes.
    Versioned,
    /// These events, guarded by versions; the time to live is the backstop.
    EventInvalidated(&'static [InvalidatingEvent]),
    /// The key names one part of what the value depends on. For the rest a read demands the version that these events last
    /// told; a value below it is a miss. Nothing is left behind under the key itself.
    Hybrid(&'static [InvalidatingEvent]),
    /// Only its time to live.
    TtlOnly,
}

/// Whether a command may rest on a cached value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revalidation {
    /// It is only shown.
    NeverAnInput,
    /// It may be an input, and is read again from the authority before the commit.
    BeforeCommit,
}

/// How long a value lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl {
    /// From this age on it is served while one refresh runs behind it. Equal to `hard`: never served late.
    pub soft: Duration,
    /// From this age on it is not served.
    pub hard: Duration,
    /// How long "does not exist" is remembered under this key; absent where it is not, or in a keyspace of its own.
    pub negative: Option<Duration>,
    /// How long an invalidation is remembered; only where events invalidate.
    pub tombstone: Option<Duration>,
    /// Up to this much is added to `soft` and `hard`, so that values filled together do not expire together.
    pub jitter_percent: u8,
}

/// How a value is loaded when nobody has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadLimits {
    /// How long one load may take.
    pub timeout: Duration,
    /// How long one process may keep the others waiting for its load.
    pub lease: Duration,
    /// How many loads one process may run at once.
    pub at_once: u32,
}

/// The schema versions of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaVersions {
    /// What this program writes.
    pub current: u16,
    /// The oldest it can read. A newer one than `current` is a miss, and is left alone.
    pub oldest_readable: u16,
}

/// How big a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeLimit {
    /// Bigger values are neither written nor read.
    pub max_bytes: u32,
    /// Bigger payloads are compressed.
    pub compress_above_bytes: u32,
}

/// Who may see a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Everybody in the tenant who may make the request.
    Public,
    /// Fields depend on the reader's role and are removed after the read, on a hit as on a miss.
    Internal,
}

/// How hot a key may become, and what carries the heat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heat {
    /// No key is asked for much more often than another.
    Even,
    /// Single keys may be hot; the store carries them.
    Hot,
    /// Single objects may be hot; each is spread over several keys, which lie on different nodes of a cluster.
    Sharded {
        /// How many keys.
        shards: u16,
    },
    /// Single keys may be hot; each process keeps them in its memory.
    HotInMemory {
        /// Most bytes of this keyspace in one process.
        max_bytes: u32,
        /// How long a copy may be used before the store is asked again.
        max_age: Duration,
    },
    /// Single keys may be hot and what they hold may change; each process keeps them in its memory, and hints from whoever
    /// changes them tell it what to drop. Hints may be lost: `max_age` is the bound that holds whatever happens to them.
    HintedInMemory {
        /// Most bytes of this keyspace in one process.
        max_bytes: u32,
        /// How long a copy may be used before the store is asked again, hints or not.
        max_age: Duration,
    },
}

/// What happens while the store is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnavailable {
    /// The authority answers, behind its limit of concurrent loads.
    FallBackToAuthority,
    /// The value is computed again, behind a limit of concurrent computations.
    RecomputeGuarded,
    /// Each policy says whether requests pass, counted by one process alone, or are refused.
    AsPolicySays,
    /// The help is left out.
    Skip,
    /// What would be kept is saved to the authority at once.
    SaveAtOnce,
}

impl Keyspace {
    /// Whether values are kept in each process's memory, and how many bytes of them for how long.
    pub const fn in_memory(&self) -> Option<(u32, Duration)> {
        match self.heat {
            Heat::HotInMemory { max_bytes, max_age } | Heat::HintedInMemory { max_bytes, max_age } => {
                Some((max_bytes, max_age))
            }
            Heat::Even | Heat::Hot | Heat::Sharded { .. } => None,
        }
    }

    /// Whether hints tell each process's memory what changed.
    pub const fn is_hinted(&self) -> bool {
        matches!(self.heat, Heat::HintedInMemory { .. })
    }
}

/// The first dimension of every key.
pub const TENANT: Dimension = Dimension { name: "tenant", kind: DimensionKind::Tenant };

impl Dimension {
    /// A UUID.
    pub const fn id(name: &'static str) -> Self {
        Self { name, kind: DimensionKind::Id }
    }

    /// A whole number.
    pub const fn number(name: &'static str) -> Self {
        Self { name, kind: DimensionKind::Number }
    }

    /// A SHA-256 digest.
    pub const fn hash(name: &'static str) -> Self {
        Self { name, kind: DimensionKind::Hash }
    }

    /// Short text.
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: DimensionKind::Text }
    }
}
