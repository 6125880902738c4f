//! The catalog's port.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{
    CacheUnavailable, CatalogCache, Load, Read,
    catalog::{ActivePublication, OfferingDocument, SearchPage, keyspaces},
};
use kernel::{ContentHash, OfferingId, PublicationId, TenantId, Version};

use crate::{engine::Core, read_through::ReadThrough};

pub(super) struct Catalog {
    offerings: Arc<ReadThrough<OfferingDocument>>,
    active: Arc<ReadThrough<ActivePublication>>,
    pages: Arc<ReadThrough<SearchPage>>,
}

impl Catalog {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self {
            offerings: ReadThrough::over(&keyspaces::OFFERING, core),
            active: ReadThrough::over(&keyspaces::ACTIVE_PUBLICATION, core),
            pages: ReadThrough::over(&keyspaces::SEARCH_PAGE, core),
        }
    }
}

#[async_trait]
impl CatalogCache for Catalog {
    fn offering<'a>(
        &'a self,
        tenant: &'a TenantId,
        publication: PublicationId,
        offering: OfferingId,
        locale: &'a str,
        load: Load<'a, OfferingDocument>,
    ) -> Read<'a, OfferingDocument> {
        let key = keyspaces::offering_key(tenant, publication, offering, locale);
        let absence = keyspaces::missing_offering_key(tenant, publication, offering);
        self.offerings.read_noting(key, Some(absence), Version::ZERO, load)
    }

    fn active_publication<'a>(
        &'a self,
        tenant: &'a TenantId,
        min_version: Option<Version>,
        load: Load<'a, ActivePublication>,
    ) -> Read<'a, ActivePublication> {
        self.active.read(keyspaces::active_publication_key(tenant), min_version, load)
    }

    fn search_page<'a>(
        &'a self,
        tenant: &'a TenantId,
        publication: PublicationId,
        query_hash: ContentHash,
        load: Load<'a, SearchPage>,
    ) -> Read<'a, SearchPage> {
        self.pages.read(keyspaces::search_page_key(tenant, publication, query_hash), None, load)
    }

    async fn publication_activated(&self, tenant: &TenantId, version: Version) -> Result<(), CacheUnavailable> {
        self.active.invalidate(keyspaces::active_publication_key(tenant), version).await
    }
}
