//! The rows of the file, as they stand.
//!
//! Owns the column names and the parsing of one row. A row that cannot be parsed becomes a [`Malformed`], never an
//! end of the reading: one bad line must not hide three hundred thousand good ones.

use std::io::Read;

use chrono::NaiveDateTime;
use csv::{ByteRecord, ReaderBuilder};
use rust_decimal::Decimal;

/// The columns, in the order of the file.
pub const COLUMNS: [&str; 8] =
    ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"];

/// Times in the file carry no zone; they are kept as they stand.
const TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// Line of the file on which a row stands; the header is line 1.
pub type RowNumber = u64;

/// One line of one invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it stands in the file.
    pub number: RowNumber,
    /// Invoice number; a leading `C` marks a cancellation.
    pub invoice: String,
    /// Stock code. Case matters: `15056BL` and `15056bl` are two codes.
    pub code: String,
    /// Description, possibly empty.
    pub description: String,
    /// Units; negative when goods or money go back.
    pub quantity: i64,
    /// When the invoice was written.
    pub at: NaiveDateTime,
    /// Pounds a unit, with up to three fractional digits.
    pub unit_price: Decimal,
    /// The registered customer, if the sale had one.
    pub customer: Option<String>,
    /// Country of the buyer.
    pub country: String,
}

impl Row {
    /// Quantity times unit price, exactly as the file says it: not rounded.
    pub fn amount(&self) -> Decimal {
        Decimal::from(self.quantity) * self.unit_price
    }
}

/// A row that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Where it stands in the file.
    pub number: RowNumber,
    /// What is wrong with it, in words.
    pub problem: String,
}

/// Everything that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// The readable rows, in file order.
    pub rows: Vec<Row>,
    /// The others.
    pub malformed: Vec<Malformed>,
}

impl Sheet {
    /// The exact sum of all readable rows.
    pub fn total(&self) -> Decimal {
        self.rows.iter().map(Row::amount).sum()
    }
}

/// The file is not an online-retail file, or cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The first line does not name the columns this reader knows.
    #[error("the first line must name the columns {}", COLUMNS.join(", "))]
    Header,
    /// The bytes could not be read.
    #[error("the file cannot be read")]
    Unreadable(#[from] csv::Error),
}

/// Reads all rows.
pub fn read(source: impl Read) -> Result<Sheet, ReadError> {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(source);
    if reader.byte_headers()?.iter().ne(COLUMNS.iter().map(|name| name.as_bytes())) {
        return Err(ReadError::Header);
    }
    let mut sheet = Sheet::default();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        let number = record.position().map_or(0, csv::Position::line);
        match parse(number, &record) {
            Ok(row) => sheet.rows.push(row),
            Err(problem) => sheet.malformed.push(Malformed { number, problem }),
        }
    }
    Ok(sheet)
}

fn parse(number: RowNumber, record: &ByteRecord) -> Result<Row, String> {
    if record.len() != COLUMNS.len() {
        return Err(format!("{} columns instead of {}", record.len(), COLUMNS.len()));
    }
    let text = |column: usize| {
        let bytes = record.get(column).unwrap_or_default();
        std::str::from_utf8(bytes).map(str::trim).map_err(|_| format!("{} is not UTF-8", COLUMNS[column]))
    };
    let unreadable = |column: usize, text: &str| format!("{} {text:?} cannot be read", COLUMNS[column]);
    let required = |column: usize| match text(column)? {
        "" => Err(format!("{} is empty", COLUMNS[column])),
        value => Ok(value),
    };
    let (quantity, at, price) = (required(3)?, required(4)?, required(5)?);
    Ok(Row {
        number,
        invoice: required(0)?.to_owned(),
        code: required(1)?.to_owned(),
        description: text(2)?.to_owned(),
        quantity: quantity.parse().map_err(|_| unreadable(3, quantity))?,
        at: NaiveDateTime::parse_from_str(at, TIME_FORMAT).map_err(|_| unreadable(4, at))?,
        unit_price: Decimal::from_str_exact(price).map_err(|_| unreadable(5, price))?,
        customer: Some(text(6)?).filter(|customer| !customer.is_empty()).map(str::to_owned),
        country: text(7)?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retail::samples::sheet;

    #[test]
    fn a_row_is_read_as_it_stands() {
        let sheet = sheet(&["536365,85123A,  WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom"]);
        let row = &sheet.rows[0];
        assert_eq!((row.number, row.quantity, row.amount().to_string().as_str()), (2, 6, "15.30"));
        assert_eq!(row.description, "WHITE HANGING HEART");
        assert_eq!(row.customer.as_deref(), Some("17850"));
    }

    #[test]
    fn malformed_rows_are_listed_and_the_rest_is_read() {
        let sheet = sheet(&[
            "536365,85123A,X,six,2010-12-01 08:26:00,2.55,17850,UK",
            "536365,85123A,X,6,2010-12-01,2.55,17850,UK",
            "536365,85123A,X,6,2010-12-01 08:26:00,2.5.5,17850,UK",
            "536365,85123A,X,6,2010-12-01 08:26:00,2.55,17850",
            ",85123A,X,6,2010-12-01 08:26:00,2.55,17850,UK",
            "536366,85123A,X,6,2010-12-01 08:26:00,2.55,,UK",
        ]);
        let lines: Vec<u64> = sheet.malformed.iter().map(|bad| bad.number).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
        assert_eq!(sheet.malformed[0].problem, "Quantity \"six\" cannot be read");
        assert_eq!(sheet.malformed[3].problem, "7 columns instead of 8");
        assert_eq!(sheet.rows.len(), 1);
        assert_eq!(sheet.rows[0].customer, None);
    }

    #[test]
    fn bytes_that_are_not_text_spoil_one_row_only() {
        let mut bytes = COLUMNS.join(",").into_bytes();
        bytes.extend_from_slice(
            b"\n536365,1,\xff\xfe,6,2010-12-01 08:26:00,2.55,,UK\n536365,1,X,6,2010-12-01 08:26:00,2.55,,UK\n",
        );
        let sheet = read(bytes.as_slice()).unwrap();
        assert_eq!((sheet.rows.len(), sheet.malformed.len()), (1, 1));
    }

    #[test]
    fn another_file_is_refused_at_its_first_line() {
        assert!(matches!(read("a,b,c\n1,2,3\n".as_bytes()), Err(ReadError::Header)));
        assert!(matches!(read("".as_bytes()), Err(ReadError::Header)));
    }
}
