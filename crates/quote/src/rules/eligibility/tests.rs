//! What a policy says: each rule alone, rules together, and at which moment the answer turns.

use chrono::{Duration, NaiveDate};
use proptest::{collection::vec, option, prelude::*, sample::select};
use uuid::Uuid;

use super::*;

fn moment(days: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(days)
}

fn day(days: i64) -> NaiveDate {
    moment(days).date_naive()
}

fn offering(n: u128) -> OfferingId {
    Uuid::from_u128(n).into()
}

fn rule(code: &str, effect: RuleEffect, customers: CustomerCondition) -> EligibilityRule {
    let (code, text) = (code.to_owned(), format!("because of {code}"));
    EligibilityRule { code, text, effect, customers, offering_ids: Vec::new(), valid_from: None, valid_until: None }
}

fn policy(otherwise: Otherwise, rules: Vec<EligibilityRule>) -> EligibilityPolicy {
    EligibilityPolicy { version: kernel::Version::FIRST, otherwise, rules, ..EligibilityPolicy::none() }
}

fn segment(name: &str) -> CustomerCondition {
    CustomerCondition { segments: vec![name.to_owned()], ..CustomerCondition::default() }
}

const BUSINESS: CustomerAttributes<'static> =
    CustomerAttributes { segment: Some("business"), country: Some("GB"), since: None };
const PRIVATE: CustomerAttributes<'static> =
    CustomerAttributes { segment: Some("private"), country: Some("GB"), since: None };

fn codes(verdict: &EligibilityVerdict) -> Vec<&str> {
    verdict.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

#[test]
fn without_a_policy_everything_is_eligible() {
    let verdict = evaluate(&EligibilityPolicy::none(), CustomerAttributes::default(), offering(1), moment(0));
    assert!(verdict.eligible && verdict.reasons.is_empty() && verdict.holds_until.is_none());
}

#[test]
fn an_exclusion_wins_over_a_permission_and_says_why() {
    let rules = vec![
        rule("for-business", RuleEffect::Allow, segment("business")),
        rule(
            "not-in-gb",
            RuleEffect::Exclude,
            CustomerCondition { countries: vec!["GB".into()], ..segment("business") },
        ),
    ];
    let policy = policy(Otherwise::Eligible, rules);
    let refused = evaluate(&policy, BUSINESS, offering(1), moment(0));
    assert_eq!((refused.eligible, codes(&refused)), (false, vec!["not-in-gb"]));
    let elsewhere = CustomerAttributes { country: Some("FR"), ..BUSINESS };
    let allowed = evaluate(&policy, elsewhere, offering(1), moment(0));
    assert_eq!((allowed.eligible, codes(&allowed)), (true, vec!["for-business"]));
}

#[test]
fn whom_no_allowing_rule_is_about_may_not_have_what_they_allow() {
    let mut only = rule("for-business", RuleEffect::Allow, segment("business"));
    only.offering_ids = vec![offering(1)];
    let policy = policy(Otherwise::Eligible, vec![only]);
    let refused = evaluate(&policy, PRIVATE, offering(1), moment(0));
    assert_eq!((refused.eligible, codes(&refused)), (false, vec!["for-business"]));
    assert!(evaluate(&policy, PRIVATE, offering(2), moment(0)).eligible, "no rule is about that one");
}

#[test]
fn where_no_rule_decides_the_default_does() {
    let verdict = evaluate(&policy(Otherwise::NotEligible, Vec::new()), BUSINESS, offering(1), moment(0));
    assert_eq!((verdict.eligible, codes(&verdict)), (false, vec!["no-rule-allows"]));
}

#[test]
fn an_unknown_attribute_meets_no_condition() {
    let conditions = [
        segment("business"),
        CustomerCondition { countries: vec!["GB".into()], ..CustomerCondition::default() },
        CustomerCondition { min_months: Some(0), ..CustomerCondition::default() },
    ];
    for condition in conditions {
        let policy = policy(Otherwise::Eligible, vec![rule("r", RuleEffect::Allow, condition)]);
        assert!(!evaluate(&policy, CustomerAttributes::default(), offering(1), moment(0)).eligible);
    }
}

#[test]
fn months_count_from_the_day_and_periods_from_the_moment() {
    let long = CustomerCondition { min_months: Some(2), ..CustomerCondition::default() };
    let mut loyal = rule("loyal", RuleEffect::Allow, long);
    loyal.valid_until = Some(moment(100));
    let policy = policy(Otherwise::Eligible, vec![loyal]);
    // 1970-01-01 and two months: 1970-03-01, the 59th day.
    let customer = CustomerAttributes { since: Some(day(0)), ..CustomerAttributes::default() };
    let ask = |at| {
        let verdict = evaluate(&policy, customer, offering(1), at);
        (verdict.eligible, verdict.holds_until)
    };
    assert_eq!(ask(moment(59) - Duration::seconds(1)), (false, Some(moment(59))));
    assert_eq!(ask(moment(59)), (true, Some(moment(100))));
    assert_eq!(ask(moment(100)), (true, None), "a rule that is over decides nothing");
}

fn words(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    vec(select(of).prop_map(str::to_owned), 0..2)
}

fn rules() -> impl Strategy<Value = Vec<EligibilityRule>> {
    let condition = (words(&["business", "private"]), words(&["GB", "FR"]), option::of(0_u16..6))
        .prop_map(|(segments, countries, min_months)| CustomerCondition { segments, countries, min_months });
    let effect = select(&[RuleEffect::Allow, RuleEffect::Exclude][..]);
    let period = (option::of(0_i64..200), option::of(0_i64..200));
    let one =
        (condition, effect, vec(0_u128..3, 0..2), period).prop_map(|(customers, effect, offerings, (from, until))| {
            EligibilityRule {
                offering_ids: offerings.into_iter().map(offering).collect(),
                valid_from: from.map(moment),
                valid_until: until.map(moment),
                ..rule("r", effect, customers)
            }
        });
    vec(one, 0..6)
}

fn customers() -> impl Strategy<Value = CustomerAttributes<'static>> {
    let since = option::of((0_i64..200).prop_map(day));
    (option::of(select(&["business", "private"][..])), option::of(select(&["GB", "FR"][..])), since)
        .prop_map(|(segment, country, since)| CustomerAttributes { segment, country, since })
}

fn otherwise() -> impl Strategy<Value = Otherwise> {
    select(&[Otherwise::Eligible, Otherwise::NotEligible][..])
}

proptest! {
    #[test]
    fn the_order_of_rules_says_nothing(rules in rules(), who in customers(), by in otherwise(), at in 0_i64..250) {
        let mut reversed = rules.clone();
        reversed.reverse();
        let ask = |rules| evaluate(&policy(by, rules), who, offering(1), moment(at));
        let (one, other) = (ask(rules), ask(reversed));
        prop_assert_eq!((one.eligible, one.holds_until), (other.eligible, other.holds_until));
    }

    #[test]
    fn another_exclusion_never_opens_anything(
        rules in rules(), more in rules(), who in customers(), by in otherwise(), at in 0_i64..250,
    ) {
        let before = evaluate(&policy(by, rules.clone()), who, offering(1), moment(at));
        let stricter = rules.into_iter().chain(more.into_iter().filter(|rule| rule.effect == RuleEffect::Exclude));
        let after = evaluate(&policy(by, stricter.collect()), who, offering(1), moment(at));
        prop_assert!(before.eligible || !after.eligible);
    }

    #[test]
    fn a_refusal_has_a_reason(rules in rules(), who in customers(), by in otherwise(), at in 0_i64..250) {
        let verdict = evaluate(&policy(by, rules), who, offering(1), moment(at));
        prop_assert!(verdict.eligible || !verdict.reasons.is_empty());
    }

    #[test]
    fn a_verdict_holds_as_long_as_it_says(
        rules in rules(), who in customers(), by in otherwise(), at in 0_i64..250, later in 0_i64..400,
    ) {
        let policy = policy(by, rules);
        let verdict = evaluate(&policy, who, offering(1), moment(at));
        let later = moment(at) + Duration::hours(later * 6);
        if verdict.holds_until.is_none_or(|end| later < end) {
            let again = evaluate(&policy, who, offering(1), later);
            prop_assert_eq!((verdict.eligible, verdict.reasons), (again.eligible, again.reasons));
        }
    }
}
