//! A reader of JSON objects: which strings do certain members have?
//!
//! Written after RFC 8259 for the oracles alone; the jobs use serde_json.

/// The raw text of the string members of these names; `None` unless `text` is one object in UTF-8, each name is there once, and its
/// value is a string without escapes.
pub(super) fn strings_of<'t, const N: usize>(text: &'t [u8], names: [&str; N]) -> Option<[&'t [u8]; N]> {
    std::str::from_utf8(text).ok()?;
    let mut scanner = Scanner { text, at: 0 };
    let mut found = [None; N];
    scanner.expect(b'{')?;
    scanner.skip_space();
    if !scanner.takes(b'}') {
        loop {
            let (name, value) = scanner.member()?;
            if let Some(place) = names.iter().position(|wanted| wanted.as_bytes() == name)
                && found[place].replace(value.filter(|value| !value.contains(&b'\\'))?).is_some()
            {
                return None;
            }
            scanner.skip_space();
            if scanner.takes(b'}') {
                break;
            }
            scanner.expect(b',')?;
        }
    }
    scanner.skip_space();
    let all_there = scanner.at == text.len() && found.iter().all(Option::is_some);
    all_there.then(|| found.map(Option::unwrap_or_default))
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Scanner<'t> {
    fn skip_space(&mut self) {
        while self.text.get(self.at).is_some_and(|byte| b" \t\r\n".contains(byte)) {
            self.at += 1;
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_there = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(is_there);
        is_there
    }

    /// This byte, after any space.
    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        self.takes(byte).then_some(())
    }

    /// A name without its escapes, and its value if that is a string.
    fn member(&mut self) -> Option<(Vec<u8>, Option<&'t [u8]>)> {
        let name = unescaped(self.string()?)?;
        self.expect(b':')?;
        self.skip_space();
        if self.text.get(self.at) == Some(&b'"') {
            return Some((name, Some(self.string()?)));
        }
        self.value()?;
        Some((name, None))
    }

    /// The text between two quotes.
    fn string(&mut self) -> Option<&'t [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let byte = *self.text.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return Some(&self.text[start..self.at - 1]),
                b'\\' => self.escape()?,
                0..=0x1F => return None,
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4)?;
                self.at += 4;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }

    /// Any value, however deep.
    fn value(&mut self) -> Option<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.skip_space();
            match self.text.get(self.at)? {
                b'{' => {
                    self.at += 1;
                    self.skip_space();
                    if !self.takes(b'}') {
                        open.push(b'}');
                        self.name()?;
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    self.skip_space();
                    if !self.takes(b']') {
                        open.push(b']');
                        continue;
                    }
                }
                b'"' => drop(self.string()?),
                b'-' | b'0'..=b'9' => self.number()?,
                _ => self.word()?,
            }
            if self.close(&mut open)? {
                return Some(());
            }
        }
    }

    /// What follows a value: `true` when nothing is open any more, `false` when another value must follow.
    fn close(&mut self, open: &mut Vec<u8>) -> Option<bool> {
        while let Some(end) = open.last().copied() {
            self.skip_space();
            if self.takes(b',') {
                if end == b'}' {
                    self.name()?;
                }
                return Some(false);
            }
            if !self.takes(end) {
                return None;
            }
            open.pop();
        }
        Some(true)
    }

    fn name(&mut self) -> Option<()> {
        self.string()?;
        self.expect(b':')
    }

    fn number(&mut self) -> Option<()> {
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _ = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        // A number that goes on after a leading zero is none.
        self.text.get(self.at).is_none_or(|byte| !byte.is_ascii_digit()).then_some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self) -> Option<()> {
        let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| self.text[self.at..].starts_with(word))?;
        self.at += word.len();
        Some(())
    }
}

/// What a string stands for; `None` if half of a surrogate pair is missing.
fn unescaped(raw: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        let (kind, after) = rest.split_first()?;
        rest = after;
        match kind {
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'u' => {
                let (letter, after) = code_point(rest)?;
                text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            other => text.push(*other),
        }
    }
    Some(text)
}

/// The character of four digits, or of a pair of surrogates, and what follows.
fn code_point(digits: &[u8]) -> Option<(char, &[u8])> {
    let unit = |digits: &[u8]| u32::from_str_radix(std::str::from_utf8(digits.get(..4)?).ok()?, 16).ok();
    let first = unit(digits)?;
    if !(0xD800..0xDC00).contains(&first) {
        return Some((char::from_u32(first)?, &digits[4..]));
    }
    let pair = digits[4..].strip_prefix(b"\\u")?;
    let second = unit(pair).filter(|second| (0xDC00..0xE000).contains(second))?;
    let letter = char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))?;
    Some((letter, &pair[4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_that_are_asked_for_are_found_among_others() {
        let text = br#" { "x" : [1, -2.5e+3, {"a": {}, "b": []}, true, null, "\ud800"] ,"a":"1","\u0062" : "z" } "#;
        assert_eq!(strings_of(text, ["b", "a"]), Some([&b"z"[..], b"1"]));
        assert_eq!(strings_of(text, ["c"]), None);
        assert_eq!(strings_of(text, ["x"]), None, "no string");
        let deep = format!("{{\"a\":\"1\",\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(strings_of(deep.as_bytes(), ["a"]), Some([&b"1"[..]]));
        assert_eq!(strings_of(br#"{"a":"","\ud83d\ude00":1}"#, ["a"]), Some([&b""[..]]));
    }

    #[test]
    fn what_is_no_object_of_strings_is_refused() {
        for text in [
            "",
            "{",
            "{}",
            "[]",
            r#"["1"]"#,
            r#"{"a":1}"#,
            r#"{"a":"\n"}"#,
            r#"{"a":"1","a":"1"}"#,
            r#"{"a":"1"}}"#,
            r#"{"a":"1",}"#,
            r#"{,"a":"1"}"#,
            r#"{"a":"1" "b":2}"#,
            r#"{"a":"1","b":01}"#,
            r#"{"a":"1","b":1.}"#,
            r#"{"a":"1","b":-}"#,
            r#"{"a":"1","b":.5}"#,
            r#"{"a":"1","b":1e}"#,
            r#"{"a":"1","b":tru}"#,
            r#"{"a":"1","b":[1,]}"#,
            r#"{"a":"1","b":[1}}"#,
            r#"{"a":"1","b":{"c"}}"#,
            r#"{"a":"1","b":"\x"}"#,
            r#"{"a":"1","b":"\u12g4"}"#,
            r#"{"a":"1","\ud800":1}"#,
            "{\"a\":\"1\",\"b\":\"\t\"}",
            r#"{"a":"1","b":nan}"#,
        ] {
            assert_eq!(strings_of(text.as_bytes(), ["a"]), None, "{text}");
        }
        assert_eq!(strings_of(b"{\"a\":\"1\",\"b\":\"\xff\"}", ["a"]), None);
    }
}
