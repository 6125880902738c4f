//! Many values in one question.

use std::time::Duration;

use cache_ports::{
    Caches, ServedFrom,
    eligibility::{Asked, EligibilityVerdict, keyspaces},
};
use kernel::{CustomerId, OfferingId, TenantId, Version};

use super::{Subject, authority::Authority, drivers, new_tenant, process, samples};
use crate::store::Place;

/// Offerings of which the even ones are for this customer.
async fn verdicts(
    caches: &Caches,
    tenant: &TenantId,
    asked: Asked,
    offerings: &[OfferingId],
    authority: &Authority,
) -> Vec<(OfferingId, bool, ServedFrom)> {
    let is_even = |offering: &OfferingId| offering.uuid().as_u128().is_multiple_of(2);
    let load = |n: usize| {
        let offering: OfferingId = offerings[n];
        let eligible = is_even(&offering);
        authority.load(move |_| samples::verdict(offering, eligible))()
    };
    let answers = caches.eligibility.verdicts(tenant, asked, offerings, &load).await;
    let told = answers.into_iter().map(|answer| answer.expect("an answer").expect("a verdict"));
    told.map(|served| {
        let EligibilityVerdict { offering_id, eligible, .. } = *served.value;
        (offering_id, eligible, served.source)
    })
    .collect()
}

fn offering(n: u128) -> OfferingId {
    uuid::Uuid::from_u128(n).into()
}

fn about(customer: CustomerId) -> Asked {
    Asked { policy: Version::new(4), customer, customer_version: Version::FIRST }
}

/// In the order of the question, whatever is known and whatever is not.
pub async fn a_batch_loads_only_what_is_missing(subject: &dyn Subject) {
    let (caches, tenant, asked) = (process(subject), new_tenant(), about(CustomerId::generate()));
    let authority = Authority::with(1);
    verdicts(&caches, &tenant, asked, &[offering(3), offering(4)], &authority).await;
    assert_eq!(authority.asked(), 2);
    let told =
        verdicts(&caches, &tenant, asked, &[offering(5), offering(4), offering(3), offering(6)], &authority).await;
    let expected = [
        (offering(5), false, ServedFrom::Authority),
        (offering(4), true, ServedFrom::L2),
        (offering(3), false, ServedFrom::L2),
        (offering(6), true, ServedFrom::Authority),
    ];
    assert_eq!(told, expected);
    assert_eq!(authority.asked(), 4);
    assert_eq!(verdicts(&caches, &tenant, asked, &[], &authority).await, []);
}

/// Under its own key, for its own, shorter, life; and nothing stays under the other.
pub async fn a_refusal_is_kept_apart_from_a_consent(subject: &dyn Subject) {
    let (caches, tenant, asked) = (process(subject), new_tenant(), about(CustomerId::generate()));
    verdicts(&caches, &tenant, asked, &[offering(7), offering(8)], &Authority::with(1)).await;
    let life = async |key: String| {
        let at = Place { workload: keyspaces::ELIGIBLE.workload, key: &key };
        subject.peek(at).await.map(|stored| stored.remaining.expect("everything ends"))
    };
    let yes = life(keyspaces::eligible_key(&tenant, &asked, offering(8)).text()).await;
    let no = life(keyspaces::not_eligible_key(&tenant, &asked, offering(7)).text()).await;
    assert!(yes.is_some_and(|life| life > Duration::from_secs(115)), "{yes:?}");
    assert!(no.is_some_and(|life| life < Duration::from_secs(70)), "{no:?}");
    assert_eq!(life(keyspaces::eligible_key(&tenant, &asked, offering(7)).text()).await, None);
    assert_eq!(life(keyspaces::not_eligible_key(&tenant, &asked, offering(8)).text()).await, None);
}

/// A verdict about an older version of the customer, or by another policy, is a miss.
pub async fn a_changed_customer_or_policy_is_evaluated_anew(subject: &dyn Subject) {
    let (caches, tenant, asked) = (process(subject), new_tenant(), about(CustomerId::generate()));
    let authority = Authority::with(1);
    for _ in 0..2 {
        verdicts(&caches, &tenant, asked, &[offering(1)], &authority).await;
    }
    assert_eq!(authority.asked(), 1);
    authority.commit(2);
    let newer = Asked { customer_version: Version::new(2), ..asked };
    for _ in 0..2 {
        verdicts(&caches, &tenant, newer, &[offering(1)], &authority).await;
    }
    assert_eq!(authority.asked(), 2);
    let other_policy = Asked { policy: Version::new(5), ..newer };
    verdicts(&caches, &tenant, other_policy, &[offering(1)], &authority).await;
    assert_eq!(authority.asked(), 3);
    // Every demanding keyspace is among those the other cases go through.
    assert!(drivers::demanding().iter().any(|driver| driver.keyspace.name == keyspaces::NOT_ELIGIBLE.name));
}
