//! Words every domain shares: tenants, typed ids, money, quantities, versions, hashes, clocks.
//!
//! Owns no state and does no I/O; nothing here is async. A word is admitted only when every domain uses it.

mod clock;
pub mod decimal_text;
mod hash;
mod ids;
mod money;
mod quantity;
mod tenant;
mod version;

pub use clock::{Clock, ManualClock, SharedClock, SystemClock};
pub use decimal_text::{DecimalText, NotADecimal};
pub use hash::{ContentHash, InvalidHash, NotCanonical};
pub use ids::{
    ApprovalId, CancellationId, CustomerId, EventId, InvalidId, OfferingId, OrderId, OrderItemId, PriceBookId, PriceId,
    PriceResultId, ProductId, PublicationId, QuoteId, QuoteItemId, ReservationId, SpecificationId, TaskId,
};
pub use money::{Currency, InvalidCurrency, Money, MoneyError, Rounding, allocate};
pub use quantity::{InvalidQuantity, Quantity};
pub use tenant::{InvalidTenantId, TenantId};
pub use version::Version;
