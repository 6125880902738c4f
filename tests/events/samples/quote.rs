//! The quote service's events.

use cache_ports::{
    UserKey,
    catalog::PeriodUnit,
    pricing::{ApprovalInputs, Period, PriceType},
    quote::QuoteRecurringTotal,
};
use kernel::{Quantity, Version};
use quoin::services::Service;
use quote::{
    commands::{Actor, SubjectAccess},
    events::{
        QuoteEvent, access_changed, access_policy_changed, customer_changed, policy_changed, quote_accepted,
        quote_event,
    },
    model::{
        Acceptance, AcceptedItem, AccessPolicy, Charge, Customer, EligibilityPolicy, Level, Otherwise, Quote,
        QuoteState, QuoteTotals, Revision, RevisionState, Revocation, SealedPrice,
    },
};
use rust_decimal::Decimal;

use super::{Sample, at, eur, euros, hash, id, tenant};

/// One of each, and what they say when nothing is known that may be missing.
pub fn samples() -> Vec<Sample> {
    let actor = Actor::service(tenant());
    let mut samples = about_policies(&actor);
    for known in [true, false] {
        let sample =
            |event| if known { Sample::full(Service::Quote, event) } else { Sample::least(Service::Quote, event) };
        for (version, (event, state)) in (1..).zip([
            (QuoteEvent::Changed, RevisionState::Draft),
            (QuoteEvent::Submitted, RevisionState::InApproval),
            (QuoteEvent::Approved, RevisionState::Approved),
            (QuoteEvent::Rejected, RevisionState::Draft),
            (QuoteEvent::Presented, RevisionState::Presented),
            (QuoteEvent::Expired, RevisionState::Expired),
        ]) {
            let quote = quote(known, version, state);
            let also = if known { vec![1, 2] } else { Vec::new() };
            let reason = known.then_some("the customer wants less");
            samples.push(sample(quote_event(&actor, &quote, event, also, reason).unwrap()));
        }
        let quote = quote(known, 7, RevisionState::Accepted);
        samples.push(sample(quote_accepted(&actor, &quote, &acceptance(known)).unwrap()));
        samples.push(sample(customer_changed(&actor, &customer(known), at(1)).unwrap()));
    }
    samples
}

fn about_policies(actor: &Actor) -> Vec<Sample> {
    let eligibility =
        EligibilityPolicy { version: Version::new(3), otherwise: Otherwise::NotEligible, ..EligibilityPolicy::none() };
    let access = AccessPolicy { version: Version::new(5), ..AccessPolicy::none() };
    let subject = |revoked: bool, version: u64| SubjectAccess {
        user: UserKey::of(&actor.tenant, "approver"),
        policy: Version::new(5),
        revocation: Revocation {
            subject: "approver".to_owned(),
            version: Version::new(version),
            revoked,
            reason: Some("left".to_owned()),
            changed_by: "admin".to_owned(),
            changed_at: at(8),
        },
    };
    let full = |event| Sample::full(Service::Quote, event);
    vec![
        full(policy_changed(actor, &eligibility, at(1)).unwrap()),
        full(access_policy_changed(actor, &access, at(1)).unwrap()),
        full(access_changed(actor, &subject(true, 1)).unwrap()),
        full(access_changed(actor, &subject(false, 2)).unwrap()),
    ]
}

fn quote(known: bool, version: u64, state: RevisionState) -> Quote {
    Quote {
        id: id("quote"),
        version: Version::new(version),
        external_id: known.then(|| "q-1".to_owned()),
        state: QuoteState::Open,
        customer_id: known.then(|| id("customer")),
        price_book_id: id("list"),
        publication_id: Some(id("publication-2")),
        currency: eur(),
        level: Level::Firm,
        valid_for_days: 30,
        current_revision_no: 3,
        created_by: "seller".to_owned(),
        created_at: at(1),
        updated_at: at(2),
        revision: Revision {
            no: 3,
            state,
            editors: vec!["seller".to_owned()],
            price_stale: !known,
            price: known.then(price),
            content_hash: known.then(|| hash("content")),
            valid_until: known.then(|| at(59)),
            created_at: at(1),
            items: Vec::new(),
        },
        approval: None,
    }
}

fn price() -> SealedPrice {
    let month = QuoteRecurringTotal { period: month(), amount: euros(300) };
    SealedPrice {
        result_id: id("price-result"),
        result_hash: hash("result"),
        totals: QuoteTotals {
            net: euros(11_150),
            one_time: euros(10_850),
            recurring: vec![month],
            list: Some(euros(13_550)),
            discount_percent: Some(Decimal::new(1_772, 2)),
        },
        approval_inputs: ApprovalInputs {
            max_line_discount_percent: Decimal::new(20, 0),
            total_discount_percent: Decimal::new(1_772, 2),
            overrides: 0,
        },
    }
}

const fn month() -> Period {
    Period { unit: PeriodUnit::Month, length: 1 }
}

fn acceptance(known: bool) -> Acceptance {
    Acceptance {
        quote_id: id("quote"),
        revision_no: 3,
        customer_id: known.then(|| id("customer")),
        currency: eur(),
        total: euros(9_900),
        content_hash: hash("content"),
        price_result_id: id("price-result"),
        accepted_by: "buyer".to_owned(),
        accepted_at: at(3),
        items: vec![accepted(known)],
    }
}

fn accepted(known: bool) -> AcceptedItem {
    let charge = |price_type, cents| Charge {
        price_type,
        period: (price_type == PriceType::Recurring).then(month),
        list_unit: (price_type == PriceType::Recurring).then(|| Decimal::new(1_000, 2)),
        unit: Decimal::new(800, 2),
        amount: euros(cents),
        overridden: false,
    };
    AcceptedItem {
        item_id: id("line-1"),
        offering_id: id("lamp"),
        external_id: known.then(|| "lamp".to_owned()),
        name: "Reading lamp".to_owned(),
        stocked: true,
        quantity: Quantity::from(12),
        unit: Decimal::new(800, 2),
        amount: euros(9_900),
        price_type: if known { PriceType::Recurring } else { PriceType::OneTime },
        period: known.then(month),
        charges: if known {
            vec![charge(PriceType::Recurring, 9_600), charge(PriceType::OneTime, 300)]
        } else {
            Vec::new()
        },
    }
}

fn customer(known: bool) -> Customer {
    Customer {
        id: id("customer"),
        version: Version::new(2),
        external_id: "c-1".to_owned(),
        name: "First Customer".to_owned(),
        country: known.then(|| "NL".to_owned()),
        segment: known.then(|| "business".to_owned()),
        customer_since: known.then(|| at(1).date_naive()),
    }
}
