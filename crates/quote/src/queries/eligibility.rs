//! Eligibility for display, through the cache; and policies as they were written.

use std::sync::{Arc, OnceLock};

use cache_ports::{
    Caches, LoadError, Loaded, Loading, ReadError, Served, ServedFrom,
    eligibility::{Asked, EligibilityVerdict},
    load,
};
use chrono::{DateTime, Utc};
use futures::{FutureExt, future::BoxFuture, future::Shared};
use kernel::{CustomerId, OfferingId, SharedClock, TenantId, Version};
use service_runtime::TenantTx;
use sqlx::PgPool;

use crate::{
    error::{QuoteError, QuoteResult},
    model::{Customer, EligibilityPolicy},
    rules::eligibility::{attributes, evaluate},
    store::{customers, eligibility},
};

/// What eligibility is read with.
#[derive(Clone)]
pub struct Reading {
    /// The authority.
    pub pool: PgPool,
    /// The caches.
    pub caches: Caches,
    /// The clock that stamps answers.
    pub clock: SharedClock,
}

/// The answer to one question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The policy it was given by; 0 while there is none.
    pub policy: Version,
    /// One verdict an offering, in the order of the question.
    pub verdicts: Vec<Served<EligibilityVerdict>>,
}

/// What the policy in force says about a customer and these offerings; nothing when there is no such customer.
pub async fn eligibility(
    reading: &Reading,
    tenant: &TenantId,
    customer: CustomerId,
    offerings: &[OfferingId],
    min_policy: Option<Version>,
) -> Result<Option<Answer>, ReadError> {
    let cache = &reading.caches.eligibility;
    let load_policy = load(|| active_version(reading.pool.clone(), tenant.clone()));
    let load_customer = load(|| customer_version(reading.pool.clone(), tenant.clone(), customer));
    let (policy, known) = tokio::try_join!(
        cache.active_policy(tenant, min_policy, &load_policy),
        cache.customer_version(tenant, customer, None, &load_customer),
    )?;
    let Some(known) = known else { return Ok(None) };
    let Some(policy) = policy.map(|served| *served.value) else {
        let open = offerings.iter().map(|offering| open_to_all(*offering, reading.clock.now())).collect();
        return Ok(Some(Answer { policy: Version::ZERO, verdicts: open }));
    };
    let asked = Asked { policy, customer, customer_version: *known.value };
    let basis = SharedBasis::new(reading, tenant, asked);
    let each = |n: usize| basis.evaluated(offerings.get(n).copied());
    let told = cache.verdicts(tenant, asked, offerings, &each).await;
    let now = reading.clock.now();
    let mut verdicts = Vec::with_capacity(offerings.len());
    for (n, answer) in told.into_iter().enumerate() {
        let Some(served) = answer? else { return Ok(None) };
        let over = served.value.holds_until.is_some_and(|end| end <= now);
        verdicts.push(if over { evaluated_anew(each(n)).await? } else { served });
    }
    Ok(Some(Answer { policy, verdicts }))
}

/// While there is no policy, everybody may have everything.
fn open_to_all(offering: OfferingId, at: DateTime<Utc>) -> Served<EligibilityVerdict> {
    let verdict = evaluate(&EligibilityPolicy::none(), attributes(None), offering, at);
    from_authority(verdict, Version::ZERO)
}

fn from_authority(verdict: EligibilityVerdict, version: Version) -> Served<EligibilityVerdict> {
    let (age, source) = (std::time::Duration::ZERO, ServedFrom::Authority);
    Served { value: Arc::new(verdict), json: None, version, age, source }
}

/// A period began or ended since a verdict was kept.
async fn evaluated_anew(loading: Loading<EligibilityVerdict>) -> Result<Served<EligibilityVerdict>, ReadError> {
    match loading.await.map_err(ReadError::Authority)? {
        Loaded::Found { value, version } => Ok(from_authority(value, version)),
        Loaded::Absent => Err(ReadError::Authority(QuoteError::NotFound("customer").into())),
    }
}

/// A policy and a customer: all that a verdict follows from.
struct Basis {
    policy: EligibilityPolicy,
    customer: Customer,
    at: DateTime<Utc>,
}

/// A read of the basis that several evaluations wait for; nothing when there is no such customer.
type BasisRead = Shared<BoxFuture<'static, Result<Option<Arc<Basis>>, LoadError>>>;

/// The basis of all verdicts of one request: read once, when the first of them is missing.
struct SharedBasis<'a> {
    reading: &'a Reading,
    tenant: &'a TenantId,
    asked: Asked,
    read: OnceLock<BasisRead>,
}

impl<'a> SharedBasis<'a> {
    const fn new(reading: &'a Reading, tenant: &'a TenantId, asked: Asked) -> Self {
        Self { reading, tenant, asked, read: OnceLock::new() }
    }

    fn evaluated(&self, offering: Option<OfferingId>) -> Loading<EligibilityVerdict> {
        let start = || basis(self.reading.clone(), self.tenant.clone(), self.asked).boxed().shared();
        let read = self.read.get_or_init(start).clone();
        Box::pin(async move {
            let found = read.await?.zip(offering);
            Ok(Loaded::from_row(found.map(|(basis, offering)| {
                let Basis { policy, customer, at } = &*basis;
                (evaluate(policy, attributes(Some(customer)), offering, *at), customer.version)
            })))
        })
    }
}

async fn basis(reading: Reading, tenant: TenantId, asked: Asked) -> Result<Option<Arc<Basis>>, LoadError> {
    let at = reading.clock.now();
    let read = async {
        let mut tx = TenantTx::read(&reading.pool, &tenant).await?;
        let policy = eligibility::policy_by_version(&mut tx, &tenant, asked.policy).await?;
        let customer = customers::customer_by_id(&mut tx, &tenant, asked.customer).await?;
        tx.rollback().await?;
        // The pointer named that version, and versions stay.
        let policy = policy.ok_or(QuoteError::Unreadable("eligibility policy"))?;
        Ok::<_, QuoteError>(customer.map(|customer| Arc::new(Basis { policy, customer, at })))
    };
    read.await.map_err(Into::into)
}

/// The loader of the pointer to the policy in force.
pub async fn active_version(pool: PgPool, tenant: TenantId) -> QuoteResult<Loaded<Version>> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let version = eligibility::active_version(&mut tx, &tenant).await?;
    tx.rollback().await?;
    Ok(Loaded::from_row(version.map(|version| (version, version))))
}

/// The loader of how new a customer is.
pub async fn customer_version(pool: PgPool, tenant: TenantId, customer: CustomerId) -> QuoteResult<Loaded<Version>> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let found = customers::customer_by_id(&mut tx, &tenant, customer).await?;
    tx.rollback().await?;
    Ok(Loaded::from_row(found.map(|customer| (customer.version, customer.version))))
}

/// The policy in force, from the authority.
pub async fn active_policy(pool: &PgPool, tenant: &TenantId) -> QuoteResult<EligibilityPolicy> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let found = eligibility::active_policy(&mut tx, tenant).await?;
    tx.rollback().await?;
    Ok(found.unwrap_or_else(EligibilityPolicy::none))
}

/// One version of the policy, as it was written.
pub async fn policy_by_version(pool: &PgPool, tenant: &TenantId, version: Version) -> QuoteResult<EligibilityPolicy> {
    let mut tx = TenantTx::read(pool, tenant).await?;
    let found = eligibility::policy_by_version(&mut tx, tenant, version).await?;
    tx.rollback().await?;
    found.ok_or(QuoteError::NotFound("eligibility policy"))
}
