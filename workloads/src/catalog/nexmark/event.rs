//! Reads an event from its line: one pass, nothing allocated, texts borrowed from the line.

/// An event; the form of its line is that of [`Nexmark`](crate::payload::Nexmark).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'l> {
    Person(Person<'l>),
    Auction(Auction),
    Bid(Bid<'l>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Person<'l> {
    pub(super) id: u64,
    pub(super) name: &'l [u8],
    pub(super) city: &'l [u8],
    pub(super) state: &'l [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Auction {
    pub(super) id: u64,
    pub(super) seller: u64,
    pub(super) category: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bid<'l> {
    pub(super) auction: u64,
    pub(super) bidder: u64,
    /// Cents.
    pub(super) price: u64,
    pub(super) time_ms: u64,
    pub(super) extra: &'l [u8],
}

impl<'l> Event<'l> {
    /// The event of a line; `None` for a line of any other form.
    pub(super) fn of(line: &'l [u8]) -> Option<Self> {
        // Bids first: 46 of 50 events.
        Bid::of(line)
            .map(Event::Bid)
            .or_else(|| Auction::of(line).map(Event::Auction))
            .or_else(|| Person::of(line).map(Event::Person))
    }

    /// What it is called.
    pub(super) fn kind(&self) -> &'static [u8] {
        match self {
            Event::Person(_) => b"person",
            Event::Auction(_) => b"auction",
            Event::Bid(_) => b"bid",
        }
    }
}

impl<'l> Person<'l> {
    /// The person of a line; `None` for any other line.
    pub(super) fn of(line: &'l [u8]) -> Option<Self> {
        let mut rest = Rest(line);
        let id = rest.number(br#"{"person":{"id":"#)?;
        let name = rest.text(br#","name":"#)?;
        rest.text(br#","emailAddress":"#)?;
        rest.text(br#","creditCard":"#)?;
        let city = rest.text(br#","city":"#)?;
        let state = rest.text(br#","state":"#)?;
        rest.number(br#","dateTime":"#)?;
        rest.text(br#","extra":"#)?;
        rest.end(Person { id, name, city, state })
    }
}

impl Auction {
    /// The auction of a line; `None` for any other line.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let mut rest = Rest(line);
        let id = rest.number(br#"{"auction":{"id":"#)?;
        rest.text(br#","itemName":"#)?;
        rest.text(br#","description":"#)?;
        rest.number(br#","initialBid":"#)?;
        rest.number(br#","reserve":"#)?;
        rest.number(br#","dateTime":"#)?;
        rest.number(br#","expires":"#)?;
        let seller = rest.number(br#","seller":"#)?;
        let category = rest.number(br#","category":"#)?;
        rest.text(br#","extra":"#)?;
        rest.end(Auction { id, seller, category })
    }
}

impl<'l> Bid<'l> {
    /// The bid of a line; `None` for any other line.
    #[inline]
    pub(super) fn of(line: &'l [u8]) -> Option<Self> {
        let mut rest = Rest(line);
        let auction = rest.number(br#"{"bid":{"auction":"#)?;
        let bidder = rest.number(br#","bidder":"#)?;
        let price = rest.number(br#","price":"#)?;
        rest.text(br#","channel":"#)?;
        rest.text(br#","url":"#)?;
        let time_ms = rest.number(br#","dateTime":"#)?;
        let extra = rest.text(br#","extra":"#)?;
        rest.end(Bid { auction, bidder, price, time_ms, extra })
    }
}

/// What is left of a line.
struct Rest<'l>(&'l [u8]);

impl<'l> Rest<'l> {
    /// Steps over `before` and the number behind it: 1 to 19 digits, without a leading zero.
    #[inline]
    fn number(&mut self, before: &[u8]) -> Option<u64> {
        let rest = self.0.strip_prefix(before)?;
        let (mut number, mut digits) = (0u64, 0);
        while let Some(digit) = rest.get(digits).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            digits += 1;
            if digits > 19 {
                return None;
            }
            // 19 digits are less than 2⁶⁴.
            number = number * 10 + u64::from(digit);
        }
        if digits == 0 || (digits > 1 && rest[0] == b'0') {
            return None;
        }
        self.0 = &rest[digits..];
        Some(number)
    }

    /// Steps over `before` and the text in quotation marks behind it, which holds neither `"` nor `\`.
    #[inline]
    fn text(&mut self, before: &[u8]) -> Option<&'l [u8]> {
        let rest = self.0.strip_prefix(before)?.strip_prefix(b"\"")?;
        let end = memchr::memchr2(b'"', b'\\', rest).filter(|end| rest[*end] == b'"')?;
        self.0 = &rest[end + 1..];
        Some(&rest[..end])
    }

    /// The event, if the line ends here.
    #[inline]
    fn end<E>(&self, event: E) -> Option<E> {
        (self.0 == b"}}").then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BID: &[u8] =
        br#"{"bid":{"auction":1107,"bidder":1001,"price":250,"channel":"Apple","url":"u","dateTime":17,"extra":"x y"}}"#;

    #[test]
    fn each_kind_is_read() {
        let bid = Bid { auction: 1107, bidder: 1001, price: 250, time_ms: 17, extra: b"x y" };
        assert_eq!(Event::of(BID), Some(Event::Bid(bid)));
        let auction = br#"{"auction":{"id":1,"itemName":"","description":"d","initialBid":0,"reserve":3,"dateTime":4,"expires":5,"seller":6,"category":10,"extra":""}}"#;
        assert_eq!(Event::of(auction), Some(Event::Auction(Auction { id: 1, seller: 6, category: 10 })));
        let person = br#"{"person":{"id":6,"name":"Kate Noris","emailAddress":"@","creditCard":"1","city":"Bend","state":"OR","dateTime":4,"extra":""}}"#;
        let expected = Person { id: 6, name: b"Kate Noris", city: b"Bend", state: b"OR" };
        assert_eq!(Event::of(person), Some(Event::Person(expected)));
    }

    #[test]
    fn lines_of_any_other_form_are_no_events() {
        let changed = |from: &str, to: &str| {
            let text = std::str::from_utf8(BID).unwrap();
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        };
        for line in [
            String::new(),
            "to be or not".into(),
            changed("}}", "}"),
            changed("}}", "}} "),
            changed("1107", "01107"),
            changed("1107", ""),
            changed("1107", "-1"),
            changed("1107", "1.0"),
            changed("1107", "\"1107\""),
            changed("1107", "10000000000000000000"),
            changed("x y", "x\\\"y"),
            changed("x y", "\\"),
            changed("\"bidder\"", " \"bidder\""),
            changed("bidder", "seller"),
        ] {
            assert_eq!(Event::of(line.as_bytes()), None, "{line}");
        }
        let most = changed("1107", "9999999999999999999");
        assert_eq!(Bid::of(most.as_bytes()).map(|bid| bid.auction), Some(9_999_999_999_999_999_999));
        assert_eq!(Bid::of(changed("1107", "0").as_bytes()).map(|bid| bid.auction), Some(0));
        for length in 0..BID.len() {
            assert_eq!(Event::of(&BID[..length]), None, "cut after {length} bytes");
        }
    }
}
