//! What inventory decides, as pure functions: sums over a batch, legal steps of a reservation, shortages, checks of input.

use std::collections::{BTreeMap, HashSet};

use kernel::Quantity;
use rust_decimal::Decimal;

use crate::model::{
    Finding, MAX_ITEMS, MAX_LOCATION_CHARS, MAX_REFERENCE_CHARS, MovementKind, NewMovement, ReservationItem,
    ReservationState, Shelf, Shortage,
};

/// What one command changes on one shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Added to what is present.
    pub on_hand: Decimal,
    /// Added to what is promised.
    pub reserved: Decimal,
}

/// The changes of one command, each shelf once, in the order in which rows are locked.
pub type Changes = BTreeMap<Shelf, Change>;

/// The one table of a reservation's steps; the migration holds the same rows, and a test compares them.
pub const TRANSITIONS: [(ReservationState, ReservationState); 4] = [
    (ReservationState::Held, ReservationState::Committed),
    (ReservationState::Held, ReservationState::Released),
    (ReservationState::Held, ReservationState::Expired),
    // A late commit: allowed when the stock is still there.
    (ReservationState::Expired, ReservationState::Committed),
];

/// Where a reservation may go from `from`.
pub fn allowed_after(from: ReservationState) -> Vec<ReservationState> {
    TRANSITIONS.iter().filter(|(state, _)| *state == from).map(|(_, to)| *to).collect()
}

/// What a step of a reservation does to stock. A late commit takes what is no longer promised.
pub fn changes_of_step(from: ReservationState, to: ReservationState, items: &[ReservationItem]) -> Changes {
    let mut changes = Changes::new();
    for item in items {
        let change = changes.entry(item.shelf()).or_default();
        if from == ReservationState::Held {
            change.reserved -= item.quantity.get();
        }
        if to == ReservationState::Committed {
            change.on_hand -= item.quantity.get();
        }
    }
    changes
}

/// What holding these lines does to stock: lines of one shelf are summed, so that a batch cannot promise the same unit twice.
pub fn changes_of_hold(items: &[ReservationItem]) -> Changes {
    let mut changes = Changes::new();
    for item in items {
        changes.entry(item.shelf()).or_default().reserved += item.quantity.get();
    }
    changes
}

/// What movements do to stock.
pub fn changes_of_movements(movements: &[NewMovement]) -> Changes {
    let mut changes = Changes::new();
    for movement in movements {
        changes.entry(movement.shelf.clone()).or_default().on_hand += movement.quantity;
    }
    changes
}

/// The movements that explain a commit: one for each shelf.
pub fn issues_of(changes: &Changes, reference: &str) -> Vec<NewMovement> {
    let taken = changes.iter().filter(|(_, change)| !change.on_hand.is_zero());
    taken
        .map(|(shelf, change)| NewMovement {
            shelf: shelf.clone(),
            kind: MovementKind::Issue,
            quantity: change.on_hand,
            reference: reference.to_owned(),
        })
        .collect()
}

/// The lines that ask for more than can be promised, given what is available on each shelf.
pub fn shortages(items: &[ReservationItem], available: &BTreeMap<Shelf, Decimal>) -> Vec<Shortage> {
    let wanted = changes_of_hold(items);
    let short = |shelf: &Shelf| {
        let available = available.get(shelf).copied().unwrap_or_default();
        let wanted = wanted.get(shelf).map(|change| change.reserved).unwrap_or_default();
        (wanted > available).then_some((wanted, available))
    };
    items
        .iter()
        .enumerate()
        .filter_map(|(line, item)| short(&item.shelf()).map(|(wanted, available)| Shortage { line, wanted, available }))
        .collect()
}

/// What is wrong with the lines of a reservation.
pub fn check_reservation(reference: &str, items: &[ReservationItem]) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_reference(&mut findings, "/reference".to_owned(), reference);
    check_size(&mut findings, items.len());
    let mut names = HashSet::new();
    for (line, item) in items.iter().enumerate() {
        check_location(&mut findings, format!("/items/{line}/location"), &item.location);
        if item.quantity.is_zero() {
            add(&mut findings, format!("/items/{line}/quantity"), "range", "must be more than zero");
        }
        if !(1..=MAX_REFERENCE_CHARS).contains(&item.item_id.chars().count()) {
            add(&mut findings, format!("/items/{line}/itemId"), "size", "must have 1 to 200 characters");
        }
        if !names.insert(item.item_id.as_str()) {
            add(&mut findings, format!("/items/{line}/itemId"), "duplicate", "another line has this id");
        }
    }
    findings
}

/// What is wrong with movements; `pointer` names the place of the one at a position.
pub fn check_movements(movements: &[NewMovement], pointer: impl Fn(usize, &str) -> String) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_size(&mut findings, movements.len());
    let mut seen = HashSet::new();
    for (line, movement) in movements.iter().enumerate() {
        check_reference(&mut findings, pointer(line, "reference"), &movement.reference);
        check_location(&mut findings, pointer(line, "location"), &movement.shelf.location);
        let may_be_negative = movement.kind == MovementKind::Adjustment;
        let may_be_zero = movement.kind == MovementKind::Opening;
        if movement.quantity.is_sign_negative() && !movement.quantity.is_zero() && !may_be_negative {
            add(&mut findings, pointer(line, "quantity"), "range", "must not be negative");
        }
        if Quantity::try_from(movement.quantity.abs()).is_err() {
            add(&mut findings, pointer(line, "quantity"), "range", "must be below a billion, with at most 6 decimals");
        }
        if movement.quantity.is_zero() && !may_be_zero {
            add(&mut findings, pointer(line, "quantity"), "range", "must not be zero");
        }
        if !seen.insert((&movement.reference, &movement.shelf)) {
            add(
                &mut findings,
                pointer(line, "reference"),
                "duplicate",
                "another line moves the same by this reference",
            );
        }
    }
    findings
}

fn check_size(findings: &mut Vec<Finding>, lines: usize) {
    if !(1..=MAX_ITEMS).contains(&lines) {
        add(findings, "/items".to_owned(), "size", "must have 1 to 1,000 lines");
    }
}

fn check_reference(findings: &mut Vec<Finding>, pointer: String, reference: &str) {
    if !(1..=MAX_REFERENCE_CHARS).contains(&reference.chars().count()) {
        add(findings, pointer, "size", "must have 1 to 200 characters");
    }
}

fn check_location(findings: &mut Vec<Finding>, pointer: String, location: &str) {
    let fits = (1..=MAX_LOCATION_CHARS).contains(&location.chars().count());
    if !fits || location.chars().any(char::is_control) {
        add(findings, pointer, "size", "must have 1 to 63 printable characters");
    }
}

fn add(findings: &mut Vec<Finding>, pointer: String, code: &'static str, detail: &str) {
    findings.push(Finding { pointer, code, detail: detail.to_owned() });
}

#[cfg(test)]
mod tests {
    use kernel::ProductId;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn product(n: u8) -> ProductId {
        Uuid::from_u128(u128::from(n)).into()
    }

    fn item(id: usize, n: u8, units: u32) -> ReservationItem {
        ReservationItem {
            item_id: id.to_string(),
            product_id: product(n),
            location: "main".to_owned(),
            quantity: Quantity::from(units),
        }
    }

    #[test]
    fn only_the_listed_steps_are_allowed() {
        use ReservationState::{Committed, Expired, Held, Released};
        assert_eq!(allowed_after(Held), [Committed, Released, Expired]);
        assert_eq!(allowed_after(Expired), [Committed]);
        assert!(allowed_after(Committed).is_empty());
        assert!(allowed_after(Released).is_empty());
    }

    #[test]
    fn a_batch_that_names_a_shelf_twice_is_judged_by_the_sum() {
        let items = [item(0, 1, 6), item(1, 1, 6), item(2, 2, 1)];
        let available = BTreeMap::from([(items[0].shelf(), Decimal::TEN), (items[2].shelf(), Decimal::ONE)]);
        let short: Vec<usize> = shortages(&items, &available).iter().map(|shortage| shortage.line).collect();
        assert_eq!(short, [0, 1]);
    }

    #[test]
    fn a_late_commit_takes_only_what_is_present() {
        let changes = changes_of_step(ReservationState::Expired, ReservationState::Committed, &[item(0, 1, 3)]);
        let change = changes[&item(0, 1, 3).shelf()];
        assert_eq!((change.on_hand, change.reserved), (Decimal::from(-3), Decimal::ZERO));
    }

    #[test]
    fn negative_quantities_are_for_adjustments_only() {
        let movement = |kind, quantity: i64| NewMovement {
            shelf: item(0, 1, 1).shelf(),
            kind,
            quantity: Decimal::from(quantity),
            reference: "r".to_owned(),
        };
        let faults =
            |kind, quantity| check_movements(&[movement(kind, quantity)], |_, field| format!("/{field}")).len();
        assert_eq!(faults(MovementKind::Adjustment, -1), 0);
        assert_eq!(faults(MovementKind::Receipt, -1), 1);
        assert_eq!(faults(MovementKind::Receipt, 0), 1);
        assert_eq!(faults(MovementKind::Opening, 0), 0);
        assert_eq!(faults(MovementKind::Receipt, 999_999_999), 0);
        assert_eq!(faults(MovementKind::Adjustment, -1_000_000_000), 1);
    }

    proptest! {
        #[test]
        fn holding_and_then_any_end_gives_back_every_promise(
            lines in prop::collection::vec((0u8..5, 1u32..1_000), 1..30),
            end in prop::sample::select(vec![ReservationState::Committed, ReservationState::Released, ReservationState::Expired]),
        ) {
            let items: Vec<_> = lines.iter().enumerate().map(|(id, (n, units))| item(id, *n, *units)).collect();
            let held = changes_of_hold(&items);
            let ended = changes_of_step(ReservationState::Held, end, &items);
            prop_assert!(held.keys().eq(ended.keys()));
            for (shelf, change) in &held {
                prop_assert_eq!(change.reserved + ended[shelf].reserved, Decimal::ZERO);
                let taken = if end == ReservationState::Committed { change.reserved } else { Decimal::ZERO };
                prop_assert_eq!(ended[shelf].on_hand, -taken);
            }
        }

        #[test]
        fn there_is_no_shortage_exactly_when_every_shelf_has_the_sum(
            lines in prop::collection::vec((0u8..3, 1u32..10), 1..12),
            stock in prop::collection::vec(0u32..40, 3),
        ) {
            let items: Vec<_> = lines.iter().enumerate().map(|(id, (n, units))| item(id, *n, *units)).collect();
            let shelf = |n: usize| Shelf { product: product(u8::try_from(n).unwrap()), location: "main".to_owned() };
            let available: BTreeMap<_, _> = stock.iter().enumerate().map(|(n, units)| (shelf(n), Decimal::from(*units))).collect();
            let enough = (0..3).all(|n| {
                let wanted: u32 = lines.iter().filter(|(product, _)| usize::from(*product) == n).map(|(_, units)| units).sum();
                wanted <= stock[n]
            });
            prop_assert_eq!(shortages(&items, &available).is_empty(), enough);
        }
    }
}
