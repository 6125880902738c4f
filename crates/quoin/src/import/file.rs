//! Opening the file: gzipped or plain, told by its first bytes and not by its name.

use std::{
    fs::File,
    io::{BufReader, Read, Seek},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use crate::retail::row::{Sheet, read};

/// The first two bytes of every gzip member (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads all rows of a file.
pub fn read_sheet(path: &Path) -> anyhow::Result<Sheet> {
    let mut file = File::open(path)?;
    let mut start = Vec::with_capacity(GZIP.len());
    file.by_ref().take(GZIP.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    let buffered = BufReader::new(file);
    Ok(if start == GZIP { read(MultiGzDecoder::new(buffered))? } else { read(buffered)? })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::retail::row::COLUMNS;

    #[test]
    fn gzipped_and_plain_files_read_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("{}\n1,A,X,1,2010-12-01 08:26:00,1.00,,UK\n", COLUMNS.join(","));
        let (plain, zipped) = (folder.path().join("a.gz"), folder.path().join("b.csv"));
        std::fs::write(&plain, &text).unwrap();
        let mut encoder = GzEncoder::new(File::create(&zipped).unwrap(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
        assert_eq!(read_sheet(&plain).unwrap(), read_sheet(&zipped).unwrap());
        assert_eq!(read_sheet(&plain).unwrap().rows.len(), 1);
        assert!(read_sheet(&folder.path().join("absent")).is_err());
    }
}
