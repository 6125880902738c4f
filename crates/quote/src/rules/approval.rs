//! When somebody must approve, and who may.
//!
//! A decision is bound to the content it was made about: the caller compares hashes before it asks here.

use cache_ports::pricing::ApprovalInputs;
use rust_decimal::Decimal;

use crate::model::{Approval, ApprovalReason};

/// The rules that want an approval for this price; none means the revision is approved as it is submitted.
pub fn reasons(inputs: &ApprovalInputs, limit_percent: Decimal) -> Vec<ApprovalReason> {
    let rules = [
        ("maxLineDiscountPercent", inputs.max_line_discount_percent),
        ("totalDiscountPercent", inputs.total_discount_percent),
    ];
    let fires = |(rule, actual): (&str, Decimal)| {
        (actual > limit_percent).then(|| ApprovalReason { rule: rule.to_owned(), limit: limit_percent, actual })
    };
    rules.into_iter().filter_map(fires).collect()
}

/// Separation of duties: whoever asked for the approval or touched the content may not decide about it, whatever roles
/// the token carries.
pub fn may_decide(subject: &str, approval: &Approval, editors: &[String]) -> bool {
    approval.requested_by != subject && !editors.iter().any(|editor| editor == subject)
}

/// The deepest discount a request asks approval for, in percent. One that says none is judged as everything given away.
pub fn deepest_discount(request: &Approval) -> Decimal {
    request.reasons.iter().map(|reason| reason.actual).max().unwrap_or(Decimal::ONE_HUNDRED)
}

/// The editors after `subject` changed the draft.
pub fn with_editor(mut editors: Vec<String>, subject: &str) -> Vec<String> {
    if !editors.iter().any(|editor| editor == subject) {
        editors.push(subject.to_owned());
    }
    editors
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inputs(line: &str, total: &str) -> ApprovalInputs {
        ApprovalInputs {
            max_line_discount_percent: line.parse().unwrap(),
            total_discount_percent: total.parse().unwrap(),
            overrides: 0,
        }
    }

    #[test]
    fn a_discount_above_the_limit_asks_for_approval_and_one_at_the_limit_does_not() {
        let limit = Decimal::from(20);
        assert!(reasons(&inputs("20", "20"), limit).is_empty());
        let fired = reasons(&inputs("22.3833", "5"), limit);
        assert_eq!(fired.len(), 1);
        assert_eq!(fired[0].rule, "maxLineDiscountPercent");
        assert_eq!(reasons(&inputs("20.0001", "20.0001"), limit).len(), 2);
    }

    #[test]
    fn the_deepest_of_the_reasons_is_what_approval_is_asked_for() {
        let mut request = crate::rules::content::tests::approval_requested_by("rep");
        request.reasons = reasons(&inputs("30", "22.5"), Decimal::from(20));
        assert_eq!(deepest_discount(&request), Decimal::from(30));
        request.reasons = reasons(&inputs("21", "22.5"), Decimal::from(20));
        assert_eq!(deepest_discount(&request), "22.5".parse().unwrap());
        request.reasons.clear();
        assert_eq!(deepest_discount(&request), Decimal::ONE_HUNDRED);
    }

    proptest! {
        #[test]
        fn a_deeper_discount_never_needs_less_approval(line in 0i64..10_000, total in 0i64..10_000, more in 0i64..10_000, limit in 0i64..10_000) {
            let at = |line: i64, total: i64| {
                let inputs = ApprovalInputs {
                    max_line_discount_percent: Decimal::new(line, 2),
                    total_discount_percent: Decimal::new(total, 2),
                    overrides: 0,
                };
                reasons(&inputs, Decimal::new(limit, 2)).len()
            };
            prop_assert!(at(line + more, total) >= at(line, total));
            prop_assert!(at(line, total + more) >= at(line, total));
        }

        #[test]
        fn no_editor_and_no_requester_may_decide(names in prop::collection::vec("[a-c]", 1..5), requester in "[a-c]", who in "[a-e]") {
            let editors = names.iter().fold(Vec::new(), |editors, name| with_editor(editors, name));
            let approval = crate::rules::content::tests::approval_requested_by(&requester);
            let allowed = may_decide(&who, &approval, &editors);
            prop_assert_eq!(allowed, !names.contains(&who) && requester != who);
        }
    }
}
