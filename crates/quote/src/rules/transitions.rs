//! The state machines of quoting, each as one declarative table. From it come the checks of the commands, the allowed list of
//! a 409, the roles of a 403, and (compared by a test) the transition table the database enforces.
//!
//! Source: the quote and revision tables of the domain study, section 2; MEF and TMF648 values in its brackets.

use service_runtime::auth::Role;

use crate::model::{ApprovalState, QuoteState, RevisionState};

/// Something that can be asked of a quote. The names are the last segments of the URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Adding, changing or removing a line.
    Edit,
    /// Taking a sealed price.
    Price,
    /// Freezing the content and asking for approval where a rule wants it.
    Submit,
    /// Granting approval.
    Approve,
    /// Refusing approval.
    Reject,
    /// Taking a submitted or approved revision back into work.
    Recall,
    /// Offering it to the customer.
    Present,
    /// The customer agrees.
    Accept,
    /// The customer refuses.
    Decline,
    /// The customer wants something else: a new draft is opened.
    RequestChanges,
    /// The seller cannot provide it.
    UnableToProvide,
    /// Opening a new draft beside an offer, or after one that ended.
    Revise,
    /// Withdrawing the whole quote.
    Cancel,
    /// Giving the whole quote up.
    Lose,
    /// The end of an offer's time.
    Expire,
    /// A newer revision was presented.
    Supersede,
    /// An order was made.
    Order,
    /// All orders have ended.
    Close,
}

use Command::{
    Accept, Approve, Cancel, Close, Decline, Edit, Expire, Lose, Order, Present, Price, Recall, Reject, RequestChanges,
    Revise, Submit, Supersede, UnableToProvide,
};

const BUYING: &[Role] = &[Role::Buyer, Role::SalesRep, Role::DealDesk, Role::System, Role::TenantAdmin];
const SELLING: &[Role] = &[Role::SalesRep, Role::DealDesk, Role::System, Role::TenantAdmin];
const DECIDING: &[Role] = &[Role::Approver, Role::TenantAdmin];
const NOBODY: &[Role] = &[];

/// Every command with its name and who may send it; nobody may send what only the service itself does.
const COMMANDS: &[(Command, &str, &[Role])] = &[
    (Edit, "items", BUYING),
    (Price, "price", BUYING),
    (Submit, "submit", SELLING),
    (Approve, "approve", DECIDING),
    (Reject, "reject", DECIDING),
    (Recall, "recall", SELLING),
    (Present, "present", SELLING),
    (Accept, "accept", BUYING),
    (Decline, "decline", BUYING),
    (RequestChanges, "request-changes", BUYING),
    (UnableToProvide, "unable-to-provide", SELLING),
    (Revise, "revisions", SELLING),
    (Cancel, "cancel", BUYING),
    (Lose, "lose", SELLING),
    (Expire, "expire", NOBODY),
    (Supersede, "supersede", NOBODY),
    (Order, "order", NOBODY),
    (Close, "close", NOBODY),
];

/// How revisions move.
pub const REVISION: &[(RevisionState, Command, RevisionState)] = {
    use RevisionState as S;
    &[
        (S::Draft, Edit, S::Draft),
        (S::Draft, Price, S::Draft),
        (S::Draft, Submit, S::InApproval),
        (S::Draft, Submit, S::Approved),
        (S::Draft, UnableToProvide, S::UnableToProvide),
        (S::Draft, Cancel, S::Cancelled),
        (S::InApproval, Approve, S::Approved),
        (S::InApproval, Reject, S::Draft),
        (S::InApproval, Recall, S::Draft),
        (S::InApproval, Cancel, S::Cancelled),
        (S::Approved, Present, S::Presented),
        (S::Approved, Recall, S::Draft),
        (S::Approved, Cancel, S::Cancelled),
        (S::Presented, Accept, S::Accepted),
        (S::Presented, Decline, S::Declined),
        (S::Presented, RequestChanges, S::ChangesRequested),
        (S::Presented, Expire, S::Expired),
        (S::Presented, Supersede, S::Superseded),
        (S::Accepted, Order, S::Ordered),
    ]
};

/// A new draft may be opened while the current revision is in one of these.
pub const REVISABLE: &[RevisionState] = &[
    RevisionState::Presented,
    RevisionState::Declined,
    RevisionState::ChangesRequested,
    RevisionState::Expired,
    RevisionState::UnableToProvide,
];

/// How the container moves.
pub const QUOTE: &[(QuoteState, Command, QuoteState)] = {
    use QuoteState as S;
    &[(S::Open, Order, S::Won), (S::Open, Lose, S::Lost), (S::Open, Cancel, S::Cancelled), (S::Won, Close, S::Closed)]
};

/// How requests for approval move.
pub const APPROVAL: &[(ApprovalState, Command, ApprovalState)] = {
    use ApprovalState as S;
    &[
        (S::Pending, Approve, S::Approved),
        (S::Pending, Reject, S::Rejected),
        (S::Pending, Recall, S::Recalled),
        (S::Pending, Cancel, S::Invalidated),
        (S::Approved, Recall, S::Invalidated),
        (S::Approved, Cancel, S::Invalidated),
    ]
};

/// The command is not possible now; these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The state that refuses.
    pub state: &'static str,
    /// The commands a client may send instead, by name.
    pub allowed: Vec<&'static str>,
}

impl Command {
    /// The last segment of the command's URL.
    pub fn name(self) -> &'static str {
        COMMANDS.iter().find(|(command, ..)| *command == self).map_or("", |(_, name, _)| name)
    }

    /// Who may send it.
    pub fn roles(self) -> &'static [Role] {
        COMMANDS.iter().find(|(command, ..)| *command == self).map_or(NOBODY, |(.., roles)| roles)
    }
}

/// Whether `command` may be applied to the current revision of a quote. An ended negotiation allows nothing.
pub fn permit(quote: QuoteState, revision: RevisionState, command: Command) -> Result<(), Refused> {
    if allows(quote, revision, command) {
        return Ok(());
    }
    let state = if quote == QuoteState::Open { revision.as_str() } else { quote.as_str() };
    let possible = |(command, name, roles): &(Command, &'static str, &[Role])| {
        (!roles.is_empty() && allows(quote, revision, *command)).then_some(*name)
    };
    Err(Refused { state, allowed: COMMANDS.iter().filter_map(possible).collect() })
}

fn allows(quote: QuoteState, revision: RevisionState, command: Command) -> bool {
    let moves_quote = QUOTE.iter().any(|(from, via, _)| *from == quote && *via == command);
    let moves_revision = REVISION.iter().any(|(from, via, _)| *from == revision && *via == command);
    match command {
        Close => moves_quote,
        // An accepted offer is no longer up for losing: the order is on its way.
        Lose => moves_quote && revision != RevisionState::Accepted,
        Revise => quote == QuoteState::Open && REVISABLE.contains(&revision),
        Cancel | Order => moves_quote && moves_revision,
        _ => quote == QuoteState::Open && moves_revision,
    }
}

/// Where a request for approval goes when `command` is applied to its revision; stays where it is when nothing is listed.
pub fn approval_after(state: ApprovalState, command: Command) -> ApprovalState {
    APPROVAL.iter().find(|(from, via, _)| *from == state && *via == command).map_or(state, |(.., to)| *to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reachable(state: RevisionState) -> bool {
        state == RevisionState::Draft || REVISION.iter().any(|(from, _, to)| *to == state && *from != state)
    }

    #[test]
    fn every_command_is_listed_once_and_every_state_is_reachable() {
        for (position, (command, name, _)) in COMMANDS.iter().enumerate() {
            assert!(!COMMANDS[..position].iter().any(|(other, text, _)| other == command || text == name), "{name}");
        }
        for state in RevisionState::ALL {
            assert!(reachable(*state), "{state:?}");
        }
    }

    #[test]
    fn an_unlisted_transition_is_refused_with_what_is_allowed() {
        let refused = permit(QuoteState::Open, RevisionState::Draft, Command::Accept).unwrap_err();
        assert_eq!(refused.state, "draft");
        assert_eq!(refused.allowed, ["items", "price", "submit", "unable-to-provide", "cancel", "lose"]);
        let refused = permit(QuoteState::Open, RevisionState::Presented, Command::Submit).unwrap_err();
        assert_eq!(refused.allowed, ["accept", "decline", "request-changes", "revisions", "lose"]);
    }

    #[test]
    fn an_ended_negotiation_allows_nothing_to_anybody() {
        for quote in [QuoteState::Won, QuoteState::Lost, QuoteState::Cancelled, QuoteState::Closed] {
            for revision in RevisionState::ALL {
                for (command, _, roles) in COMMANDS.iter().filter(|(.., roles)| !roles.is_empty()) {
                    let refused = permit(quote, *revision, *command).unwrap_err();
                    assert!(refused.allowed.is_empty(), "{quote:?} {revision:?} {command:?} {roles:?}");
                }
            }
        }
    }

    #[test]
    fn nobody_but_the_service_expires_supersedes_orders_or_closes() {
        for command in [Command::Expire, Command::Supersede, Command::Order, Command::Close] {
            assert!(command.roles().is_empty(), "{command:?}");
        }
    }

    #[test]
    fn an_offer_is_accepted_from_presented_only() {
        for state in RevisionState::ALL {
            let accepted = permit(QuoteState::Open, *state, Command::Accept).is_ok();
            assert_eq!(accepted, *state == RevisionState::Presented, "{state:?}");
        }
    }

    #[test]
    fn a_frozen_revision_cannot_be_edited() {
        for state in RevisionState::ALL {
            let editable = permit(QuoteState::Open, *state, Command::Edit).is_ok();
            assert_eq!(editable, *state == RevisionState::Draft, "{state:?}");
        }
    }
}
