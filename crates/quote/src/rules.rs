//! What quoting decides, as pure functions: no I/O, no clock, no storage.
//!
//! Reading order: [`transitions`] (which command moves what to where, and who may), [`content`] (what is frozen, hashed and
//! accepted), [`approval`] (when somebody must decide, and who may), [`access`] (how deep a discount somebody may approve), [`eligibility`]
//! (who may have what), [`visibility`] (who sees discounts), [`listing`] (which revision a list shows).

pub mod access;
pub mod approval;
pub mod content;
pub mod eligibility;
pub mod listing;
pub mod transitions;
pub mod visibility;
