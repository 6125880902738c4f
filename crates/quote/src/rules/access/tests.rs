//! What a right follows from: the largest grant, the roles of the token alone, a revocation above all.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;

fn percent(of: u32) -> Decimal {
    Decimal::new(i64::from(of), 1)
}

fn profile(policy: u64, own: Option<u32>, by_role: &[(Role, u32)]) -> AccessProfile {
    let limit =
        |(role, of): &(Role, u32)| RoleLimit { role: role.name().to_owned(), max_discount_percent: percent(*of) };
    AccessProfile {
        policy_version: Version::new(policy),
        own_limit_percent: own.map(percent),
        role_limits: by_role.iter().map(limit).collect(),
        revoked_at: None,
    }
}

const APPROVER: [Role; 1] = [Role::Approver];

fn roles(of: &[Role]) -> Roles {
    of.iter().copied().collect()
}

#[test]
fn without_a_policy_an_approver_may_approve_anything_and_others_nothing() {
    let none = profile(0, None, &[]);
    assert_eq!(approval_right(&none, roles(&APPROVER)), ApprovalRight::Unlimited);
    assert_eq!(approval_right(&none, Roles::from(Role::TenantAdmin)), ApprovalRight::Unlimited);
    assert_eq!(approval_right(&none, Roles::from(Role::SalesRep)), ApprovalRight::NoApprover);
}

#[test]
fn the_limit_is_the_largest_of_the_grants() {
    let given = [(Role::Approver, 250), (Role::DealDesk, 600)];
    let right = |own, of: &[Role]| approval_right(&profile(1, own, &given), roles(of));
    assert_eq!(right(None, &APPROVER), ApprovalRight::UpTo(percent(250)));
    assert_eq!(right(Some(400), &APPROVER), ApprovalRight::UpTo(percent(400)));
    assert_eq!(right(Some(400), &[Role::Approver, Role::DealDesk]), ApprovalRight::UpTo(percent(600)));
    assert_eq!(right(Some(400), &[Role::DealDesk]), ApprovalRight::NoApprover, "a grant makes nobody an approver");
}

#[test]
fn whom_a_policy_grants_nothing_may_approve_no_discount() {
    let right = approval_right(&profile(1, None, &[(Role::Approver, 250)]), Roles::from(Role::TenantAdmin));
    assert_eq!((right, right.limit_percent()), (ApprovalRight::UpTo(Decimal::ZERO), Some(Decimal::ZERO)));
}

fn any_roles() -> impl Strategy<Value = Vec<Role>> {
    vec(select(&Role::ALL[..]), 0..5)
}

fn any_profile() -> impl Strategy<Value = AccessProfile> {
    (0_u64..3, option::of(0_u32..=1_000), vec((select(&Role::ALL[..]), 0_u32..=1_000), 0..6))
        .prop_map(|(policy, own, by_role)| profile(policy, own, &by_role))
}

/// How much may be approved, comparable.
fn reach(right: ApprovalRight) -> Decimal {
    right.limit_percent().unwrap_or(Decimal::MAX)
}

proptest! {
    #[test]
    fn a_revoked_subject_may_approve_nothing_whatever_it_was_granted(profile in any_profile(), who in any_roles()) {
        let since = DateTime::UNIX_EPOCH;
        let revoked = AccessProfile { revoked_at: Some(since), ..profile };
        let right = approval_right(&revoked, roles(&who));
        prop_assert_eq!((right, right.limit_percent()), (ApprovalRight::Revoked(since), Some(Decimal::ZERO)));
    }

    #[test]
    fn a_limit_is_one_of_the_grants_and_no_grant_of_his_is_larger(profile in any_profile(), who in any_roles()) {
        let held = roles(&who);
        if let ApprovalRight::UpTo(limit) = approval_right(&profile, held) {
            let his = |grant: &&RoleLimit| Role::ALL.iter().any(|role| held.contains(*role) && role.name() == grant.role);
            let mut grants: Vec<Decimal> = profile.role_limits.iter().filter(his).map(|grant| grant.max_discount_percent).collect();
            grants.extend(profile.own_limit_percent);
            prop_assert!(grants.iter().all(|grant| *grant <= limit));
            prop_assert!(grants.contains(&limit) || (grants.is_empty() && limit.is_zero()));
        }
    }

    #[test]
    fn another_grant_takes_nothing_away_and_a_lost_role_gives_nothing(
        profile in any_profile(), who in any_roles(), role in select(&Role::ALL[..]), more in 0_u32..=1_000,
    ) {
        let before = reach(approval_right(&profile, roles(&who)));
        let mut richer = profile.clone();
        richer.role_limits.push(RoleLimit { role: role.name().to_owned(), max_discount_percent: percent(more) });
        prop_assert!(reach(approval_right(&richer, roles(&who))) >= before);
        let without: Vec<Role> = who.into_iter().filter(|held| *held != role).collect();
        prop_assert!(reach(approval_right(&profile, roles(&without))) <= before);
    }

    #[test]
    fn the_order_of_grants_says_nothing(profile in any_profile(), who in any_roles()) {
        let mut reversed = profile.clone();
        reversed.role_limits.reverse();
        prop_assert_eq!(approval_right(&profile, roles(&who)), approval_right(&reversed, roles(&who)));
    }
}
