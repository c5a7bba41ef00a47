//! The fields of a line of a web server's log, read byte by byte for the oracles; the jobs have a reader of their own.

/// What the oracles look at.
pub(super) struct LogFields<'l> {
    pub(super) visitor: &'l [u8],
    /// `23/Nov/2026:10:05`.
    pub(super) minute: &'l [u8],
    pub(super) request: &'l [u8],
    pub(super) status: u16,
}

/// The fields, if the line is one: three tokens, a time in brackets, a request in quotes, three digits, one space between.
pub(super) fn log_fields(line: &[u8]) -> Option<LogFields<'_>> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let [visitor, identity, user, rest] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    if [visitor, identity, user].iter().any(|token| token.is_empty()) || rest.len() < 30 {
        return None;
    }
    let (time, rest) = rest.split_at(30);
    if !is_time(time) {
        return None;
    }
    let end = end_of_quotes(rest)?;
    let after = &rest[end + 1..];
    let is_status = after.len() >= 4 && after[0] == b' ' && after[1..4].iter().all(|digit| digit.is_ascii_digit());
    if !is_status || after.get(4).is_some_and(|byte| *byte != b' ') {
        return None;
    }
    let status = after[1..4].iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    Some(LogFields { visitor, minute: &time[1..18], request: &rest[..end], status })
}

/// `[23/Nov/2026:10:05:42 +0000] "`, by its places.
fn is_time(time: &[u8]) -> bool {
    time.iter().enumerate().all(|(place, byte)| match place {
        0 => *byte == b'[',
        3 | 7 => *byte == b'/',
        12 | 15 | 18 => *byte == b':',
        4..=6 => byte.is_ascii_alphabetic(),
        21 | 28 => *byte == b' ',
        22 => *byte == b'+' || *byte == b'-',
        27 => *byte == b']',
        29 => *byte == b'"',
        _ => byte.is_ascii_digit(),
    })
}

/// Where the quotes end; a byte after a backslash does not end them.
fn end_of_quotes(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (place, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(place),
            _ => {}
        }
    }
    None
}

/// The address of a request, without its query.
pub(super) fn address(request: &[u8]) -> Option<&[u8]> {
    let parts: Vec<&[u8]> = request.split(|byte| *byte == b' ').collect();
    let [method, address, protocol] = parts[..] else { return None };
    let path = address.split(|byte| *byte == b'?').next()?;
    (!method.is_empty() && !path.is_empty() && !protocol.is_empty()).then_some(path)
}
