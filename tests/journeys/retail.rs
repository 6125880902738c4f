//! A small file of invoices, imported and replayed twice.

use anyhow::Result;
use quoin::{
    Progress,
    import::{self, Source},
    replay::{self, ReplayOptions, Speakers},
    retail::plan::Window,
};
use system_tests::{System, Weather};

use crate::PROGRAM;

/// Eight invoices: a guest, two customers, a price by hand, a deep discount, a return over two orders, a return nothing
/// ties to an order, a credit without goods, a price finer than a penny, a note without a price.
const FILE: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850,United Kingdom
536366,85123A,WHITE HANGING HEART,6,2010-12-01 08:28:00,2.55,17850,United Kingdom
536366,85123a,white hanging heart,1,2010-12-01 08:28:00,9.99,17850,United Kingdom
536367,85123A,WHITE HANGING HEART,32,2010-12-01 08:34:00,1.00,13047,France
536367,POST,POSTAGE,1,2010-12-01 08:34:00,18.00,13047,France
C536379,85123A,WHITE HANGING HEART,-8,2010-12-01 09:41:00,2.55,17850,United Kingdom
C536380,D,Discount,-1,2010-12-01 09:42:00,27.50,17850,United Kingdom
C536381,22423,CAKESTAND,-1,2010-12-01 09:43:00,12.75,17850,United Kingdom
536382,PADS,PADS TO MATCH,3,2010-12-01 09:45:00,0.001,13047,France
536383,85123A,WHITE HANGING HEART,1,2010-12-01 09:50:00,5.06,,United Kingdom
536384,M,Manual,1,2010-12-01 09:51:00,40.00,13047,France
536385,22139,,56,2010-12-01 09:52:00,0.00,,United Kingdom
";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_imported_and_replayed_to_the_penny_and_a_second_time_changes_nothing() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("invoices.csv");
    std::fs::write(&path, FILE)?;
    let source = Source::open(&path)?;
    let admin = system.api(import::SUBJECT, &import::ROLES)?;
    let progress = Progress::hidden();
    let first = import::online_retail(&admin, &source, &progress).await?;
    assert_eq!((first.offerings.created, first.books.created, first.customers.created), (9, 2, 3));
    let second = import::online_retail(&admin, &source, &progress).await?;
    assert!(second.changed_nothing(), "{second:?}");

    let speakers = Speakers {
        requester: system.api(Speakers::REQUESTER, &Speakers::REQUESTER_ROLES)?,
        approver: system.api(Speakers::APPROVER, &Speakers::APPROVER_ROLES)?,
    };
    let options =
        ReplayOptions { window: Window::default(), concurrency: 4, settle_within: std::time::Duration::from_mins(1) };
    let replayed = replay::online_retail(&speakers, &source, options, &progress).await?;
    let closing = &replayed.closing;
    assert!(replayed.settled, "{replayed}");
    assert_eq!((closing.held.orders, closing.held.cancellations), (6, 2));
    assert_eq!(
        (closing.not_representable.to_string(), closing.rounding_difference.to_string()),
        ("-40.25".into(), "0.003".into())
    );
    assert_eq!(closing.held.credited.to_string(), "20.40");
    assert!(closing.held.overrides > 0);

    let again = replay::online_retail(&speakers, &source, options, &progress).await?;
    assert_eq!(again.closing, replayed.closing);
    Ok(())
}
