//! Where a message of Redis's protocol ends (RESP2 and RESP3), and which command it is.

/// The length of the first message, when all of it is there.
pub(super) fn message(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|end| end == b"\r\n")? + 2;
    let count = || std::str::from_utf8(bytes.get(1..line - 2)?).ok()?.parse::<i64>().ok();
    match bytes.first()? {
        b'$' | b'!' | b'=' => {
            // A missing value says minus one, and nothing follows.
            let Ok(length) = usize::try_from(count()?) else { return Some(line) };
            let end = line + length + 2;
            (bytes.len() >= end).then_some(end)
        }
        b'*' | b'~' | b'>' => parts(bytes, line, count()?),
        b'%' | b'|' => parts(bytes, line, count()?.saturating_mul(2)),
        _ => Some(line),
    }
}

fn parts(bytes: &[u8], from: usize, count: i64) -> Option<usize> {
    let mut end = from;
    for _ in 0..count {
        end += message(bytes.get(end..)?)?;
    }
    Some(end)
}

/// The name of a command.
pub(super) fn command(message: &[u8]) -> Option<&[u8]> {
    let mut lines = message.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.next().filter(|line| line.starts_with(b"*"))?;
    lines.next().filter(|line| line.starts_with(b"$"))?;
    lines.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_its_last_part_ends() {
        for whole in [
            &b"+OK\r\n"[..],
            b":12\r\n",
            b"$5\r\nab\r\nc\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
            b"%1\r\n+a\r\n$2\r\nbc\r\n",
            b"_\r\n",
        ] {
            let more = [whole, b"+next\r\n"].concat();
            assert_eq!(message(&more), Some(whole.len()), "{}", String::from_utf8_lossy(whole));
            for cut in 0..whole.len() {
                assert_eq!(message(&whole[..cut]), None, "{} cut at {cut}", String::from_utf8_lossy(whole));
            }
        }
        assert_eq!(command(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), Some(&b"GET"[..]));
        assert_eq!(command(b"+OK\r\n"), None);
    }
}
