//! What the catalog service caches: offerings of a publication, the active publication, search pages.
//!
//! Owns the port; the keyspaces and keys are in `keyspaces`, the cached value types in `values`. Must never know how a value
//! is loaded or where it is kept.

pub mod keyspaces;
mod values;

use async_trait::async_trait;
use kernel::{ContentHash, OfferingId, PublicationId, TenantId, Version};

use crate::read::{CacheUnavailable, Load, Read};

pub use values::*;

/// The catalog's reads through the cache.
#[async_trait]
pub trait CatalogCache: Send + Sync {
    /// One offering as a publication froze it. That an offering is missing from a publication is remembered as well.
    fn offering<'a>(
        &'a self,
        tenant: &'a TenantId,
        publication: PublicationId,
        offering: OfferingId,
        locale: &'a str,
        load: Load<'a, OfferingDocument>,
    ) -> Read<'a, OfferingDocument>;

    /// The publication buyers see now; its version counts the activations of the tenant.
    fn active_publication<'a>(
        &'a self,
        tenant: &'a TenantId,
        min_version: Option<Version>,
        load: Load<'a, ActivePublication>,
    ) -> Read<'a, ActivePublication>;

    /// One page of a search; `query_hash` covers text, category, limit and cursor.
    fn search_page<'a>(
        &'a self,
        tenant: &'a TenantId,
        publication: PublicationId,
        query_hash: ContentHash,
        load: Load<'a, SearchPage>,
    ) -> Read<'a, SearchPage>;

    /// A publication was activated: no older pointer may be served from now on.
    async fn publication_activated(&self, tenant: &TenantId, version: Version) -> Result<(), CacheUnavailable>;
}
