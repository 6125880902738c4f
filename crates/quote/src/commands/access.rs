//! Replacing the access policy, revoking and restoring a subject, and asking whether somebody may approve: always from the
//! tables. All of it goes through the lock of the tenant's pointer: when a revocation is answered, no approval by the
//! revoked subject is still under way.

use cache_ports::UserKey;
use kernel::Version;
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::{Actor, OUTBOX};
use crate::{
    error::{QuoteError, QuoteResult},
    events::{access_changed, access_policy_changed},
    model::{AccessPolicy, Revocation, RoleGrant, Subject, SubjectGrant},
    rules::access::{ApprovalRight, approval_right},
    store::access,
};

/// A policy to be put in force.
#[derive(Debug, Clone)]
pub struct NewAccessPolicy {
    /// What roles may approve.
    pub roles: Vec<RoleGrant>,
    /// What subjects may approve.
    pub subjects: Vec<SubjectGrant>,
}

/// What a command did to a subject's access.
#[derive(Debug, Clone)]
pub struct SubjectAccess {
    /// The subject, as caches know him.
    pub user: UserKey,
    /// The policy in force at that moment.
    pub policy: Version,
    /// How he stands now.
    pub revocation: Revocation,
}

/// Writes the next version of the policy and puts it in force; the versions before it stay as they are.
pub async fn put_access_policy(
    conn: &mut PgConnection,
    actor: &Actor,
    expected: Version,
    new: NewAccessPolicy,
) -> QuoteResult<AccessPolicy> {
    let (current, now) = access::lock_access(conn, &actor.tenant).await?;
    if current != expected {
        return Err(QuoteError::VersionChanged { current });
    }
    let policy = AccessPolicy {
        version: current.next(),
        roles: new.roles,
        subjects: new.subjects,
        created_by: Some(actor.subject.clone()),
        created_at: Some(now),
    };
    access::insert_policy(conn, &actor.tenant, &policy).await?;
    OUTBOX.append(conn, &[access_policy_changed(actor, &policy, now)?]).await?;
    Ok(policy)
}

/// From now on the subject may approve nothing. Whoever is revoked already stays so since then.
pub async fn revoke_access(
    conn: &mut PgConnection,
    actor: &Actor,
    subject: &Subject,
    reason: String,
) -> QuoteResult<SubjectAccess> {
    change_access(conn, actor, subject, Some(reason)).await
}

/// The subject may approve again what the policy grants him. Nobody restores himself.
pub async fn restore_access(conn: &mut PgConnection, actor: &Actor, subject: &Subject) -> QuoteResult<SubjectAccess> {
    if actor.subject == subject.as_str() {
        return Err(QuoteError::OwnRevocation);
    }
    change_access(conn, actor, subject, None).await
}

/// With a reason the subject is revoked, without one restored.
async fn change_access(
    conn: &mut PgConnection,
    actor: &Actor,
    subject: &Subject,
    revoked_because: Option<String>,
) -> QuoteResult<SubjectAccess> {
    let user = UserKey::of(&actor.tenant, subject.as_str());
    let (policy, now) = access::lock_access(conn, &actor.tenant).await?;
    let last = access::revocation(conn, &actor.tenant, &user).await?;
    let version = last.as_ref().map_or(Version::ZERO, |last| last.version).next();
    let revoked = revoked_because.is_some();
    match last {
        Some(last) if last.revoked && revoked => return Ok(SubjectAccess { user, policy, revocation: last }),
        Some(last) if last.revoked => {}
        _ if revoked => {}
        _ => return Err(QuoteError::NotFound("revocation")),
    }
    let revocation = Revocation {
        subject: subject.as_str().to_owned(),
        version,
        revoked,
        reason: revoked_because,
        changed_by: actor.subject.clone(),
        changed_at: now,
    };
    access::insert_revocation(conn, &actor.tenant, &user, &revocation).await?;
    let changed = SubjectAccess { user, policy, revocation };
    OUTBOX.append(conn, &[access_changed(actor, &changed)?]).await?;
    Ok(changed)
}

/// What the actor may approve, and by which policy. It stays so until the transaction ends.
async fn right_of(conn: &mut PgConnection, actor: &Actor) -> QuoteResult<(ApprovalRight, Version)> {
    let policy = access::hold_access(conn, &actor.tenant).await?;
    let user = UserKey::of(&actor.tenant, &actor.subject);
    let found = access::profile(conn, &actor.tenant, &user, policy).await?;
    let (profile, _) = found.ok_or(QuoteError::Unreadable("access policy"))?;
    Ok((approval_right(&profile, actor.roles), policy))
}

/// Refuses a decision by somebody who was revoked.
pub(super) async fn check_not_revoked(conn: &mut PgConnection, actor: &Actor) -> QuoteResult<()> {
    match right_of(conn, actor).await? {
        (ApprovalRight::Revoked(since), _) => Err(QuoteError::AccessRevoked { since }),
        _ => Ok(()),
    }
}

/// Refuses the approval of a discount that is deeper than the actor may approve.
pub(super) async fn check_may_approve(
    conn: &mut PgConnection,
    actor: &Actor,
    discount_percent: Decimal,
) -> QuoteResult<()> {
    let (right, policy) = right_of(conn, actor).await?;
    if let ApprovalRight::Revoked(since) = right {
        return Err(QuoteError::AccessRevoked { since });
    }
    match right.limit_percent() {
        Some(limit_percent) if discount_percent > limit_percent => {
            Err(QuoteError::ApprovalLimitExceeded { limit_percent, discount_percent, policy })
        }
        _ => Ok(()),
    }
}
