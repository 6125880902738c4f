//! What a reader is shown. Applied to every answer after the read, so a cache hit shows what a miss shows.

use cache_ports::quote::{ApprovalSummary, Charge, ItemSummary, QuoteSummary, RevisionSummary};
use chrono::{DateTime, Utc};
use service_runtime::auth::{Role, Roles};

use crate::model::{Approval, Item, Quote, QuoteHeader, QuoteTotals, RevisionState};

/// List prices, manual adjustments, discounts and approvals are the seller's business.
const SEE_DISCOUNTS: &[Role] =
    &[Role::SalesRep, Role::DealDesk, Role::Approver, Role::OrderAgent, Role::System, Role::TenantAdmin];

/// The quote in full, as it is cached. Never sent without [`shown_to`].
pub fn in_full(quote: &Quote) -> QuoteSummary {
    let revision = &quote.revision;
    QuoteSummary {
        id: quote.id,
        version: quote.version,
        external_id: quote.external_id.clone(),
        state: quote.state.as_str().to_owned(),
        customer_id: quote.customer_id,
        price_book_id: quote.price_book_id,
        publication_id: quote.publication_id,
        currency: quote.currency,
        level: quote.level.as_str().to_owned(),
        valid_for_days: quote.valid_for_days,
        current_revision_no: quote.current_revision_no,
        created_by: quote.created_by.clone(),
        created_at: quote.created_at,
        updated_at: quote.updated_at,
        current_revision: RevisionSummary {
            revision_no: revision.no,
            state: revision.state.as_str().to_owned(),
            content_hash: revision.content_hash,
            price_result_id: revision.price.as_ref().map(|price| price.result_id),
            price_stale: revision.price_stale,
            totals: revision.price.as_ref().map(|price| price.totals.clone()),
            valid_until: revision.valid_until,
            items: revision.items.iter().map(item_in_full).collect(),
            approval: quote.approval.as_ref().map(approval_in_full),
        },
    }
}

fn item_in_full(item: &Item) -> ItemSummary {
    let resolved = item.resolved.as_ref();
    let first = item.charges.first();
    ItemSummary {
        id: item.id,
        line_no: item.line_no,
        offering_id: item.offering_id,
        external_id: resolved.and_then(|offering| offering.external_id.clone()),
        name: resolved.map(|offering| offering.name.clone()),
        stocked: resolved.map(|offering| offering.stocked),
        quantity: item.quantity,
        characteristics: item.characteristics.clone(),
        adjustment: item.adjustment.clone(),
        list_unit: first.and_then(|charge| charge.list_unit),
        unit: first.map(|charge| charge.unit),
        amount: item.amount,
        charges: item.charges.clone(),
    }
}

fn approval_in_full(approval: &Approval) -> ApprovalSummary {
    ApprovalSummary {
        id: approval.id,
        state: approval.state.as_str().to_owned(),
        reasons: approval.reasons.clone(),
        requested_by: approval.requested_by.clone(),
        requested_at: approval.requested_at,
        decided_by: approval.decided_by.clone(),
        decided_at: approval.decided_at,
        comment: approval.comment.clone(),
    }
}

/// The quote as a caller with these roles may see it at this time: an overdue offer reads as expired, and only the
/// seller's side sees how a price came about.
pub fn shown_to(roles: Roles, now: DateTime<Utc>, mut quote: QuoteSummary) -> QuoteSummary {
    let revision = &mut quote.current_revision;
    if RevisionState::named(&revision.state).is_some_and(|state| is_overdue(state, revision.valid_until, now)) {
        RevisionState::Expired.as_str().clone_into(&mut revision.state);
    }
    if roles.contains_any(SEE_DISCOUNTS) {
        return quote;
    }
    revision.approval = None;
    revision.totals.iter_mut().for_each(hide_discount);
    for item in &mut revision.items {
        item.adjustment = None;
        item.list_unit = None;
        item.charges.iter_mut().for_each(hide_list_unit);
    }
    quote
}

/// The same for a line of a list.
pub fn header_shown_to(roles: Roles, now: DateTime<Utc>, mut header: QuoteHeader) -> QuoteHeader {
    if is_overdue(header.revision_state, header.valid_until, now) {
        header.revision_state = RevisionState::Expired;
    }
    if !roles.contains_any(SEE_DISCOUNTS) {
        header.totals.iter_mut().for_each(hide_discount);
    }
    header
}

/// An offer whose time is over has expired, whether or not the sweeper came by.
fn is_overdue(state: RevisionState, valid_until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    state == RevisionState::Presented && valid_until.is_some_and(|end| now > end)
}

fn hide_discount(totals: &mut QuoteTotals) {
    totals.list = None;
    totals.discount_percent = None;
}

fn hide_list_unit(charge: &mut Charge) {
    charge.list_unit = None;
    charge.overridden = false;
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::rules::content::tests::submitted;

    fn as_json(roles: Roles) -> String {
        let mut quote = submitted();
        quote.approval = Some(crate::rules::content::tests::approval_requested_by("rep"));
        serde_json::to_string(&shown_to(roles, DateTime::UNIX_EPOCH, in_full(&quote))).unwrap()
    }

    #[test]
    fn a_buyer_sees_prices_but_not_how_they_came_about() {
        let seen = as_json(Roles::from(Role::Buyer));
        assert!(seen.contains("\"amount\":\"4.75\""), "{seen}");
        for secret in ["listUnit", "adjustment", "loyal", "discountPercent", "\"list\"", "approval", "reasons"] {
            assert!(!seen.contains(secret), "{secret} in {seen}");
        }
    }

    #[test]
    fn the_sellers_side_sees_everything() {
        for role in [Role::SalesRep, Role::Approver, Role::DealDesk, Role::TenantAdmin] {
            let seen = as_json(Roles::from(role));
            for field in ["listUnit", "loyal", "discountPercent", "\"list\"", "approval"] {
                assert!(seen.contains(field), "{role}: {field} not in {seen}");
            }
        }
    }

    #[test]
    fn an_offer_past_its_end_is_shown_as_expired() {
        let end = DateTime::UNIX_EPOCH;
        let shown = |state, now| {
            let mut quote = submitted();
            quote.revision.state = state;
            quote.revision.valid_until = Some(end);
            shown_to(Roles::from(Role::Buyer), now, in_full(&quote)).current_revision.state
        };
        assert_eq!(shown(RevisionState::Presented, end), "presented");
        assert_eq!(shown(RevisionState::Presented, end + TimeDelta::milliseconds(1)), "expired");
        assert_eq!(shown(RevisionState::Accepted, end + TimeDelta::days(1)), "accepted");
    }
}
