//! Small sheets for the tests of this folder.

use super::row::{COLUMNS, Sheet, read};

/// A sheet with these data lines.
pub fn sheet(lines: &[&str]) -> Sheet {
    let mut text = COLUMNS.join(",");
    for line in lines {
        text.push('\n');
        text.push_str(line);
    }
    read(text.as_bytes()).unwrap()
}

/// A sheet from `invoice code quantity price customer` words; times rise with the lines.
pub fn short(lines: &[&str]) -> Sheet {
    let long: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(minute, line)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let customer = words.get(4).copied().unwrap_or_default();
            format!(
                "{},{},THING {},{},2010-12-01 {:02}:{:02}:00,{},{customer},United Kingdom",
                words[0],
                words[1],
                words[1],
                words[2],
                8 + minute / 60,
                minute % 60,
                words[3]
            )
        })
        .collect();
    sheet(&long.iter().map(String::as_str).collect::<Vec<_>>())
}
