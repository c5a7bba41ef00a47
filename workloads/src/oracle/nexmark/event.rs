//! Lines as kinds of events with named members, compared with the forms that there are.

/// A member of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Member<'l> {
    Number(u64),
    Text(&'l [u8]),
}

/// How the members of an event are called, in their order; `#` before a name means a number, `$` a text.
const FORMS: [(&str, &str); 3] = [
    ("person", "#id $name $emailAddress $creditCard $city $state #dateTime $extra"),
    ("auction", "#id $itemName $description #initialBid #reserve #dateTime #expires #seller #category $extra"),
    ("bid", "#auction #bidder #price $channel $url #dateTime $extra"),
];

/// An event as its line says it.
pub(super) struct Event<'l> {
    pub(super) kind: &'static str,
    members: Vec<(&'l [u8], Member<'l>)>,
}

impl<'l> Event<'l> {
    /// The event of a line, if its form is one of those that there are.
    pub(super) fn of(line: &'l [u8]) -> Option<Self> {
        let mut rest = line.strip_suffix(b"}}")?;
        let name = quoted(rest.strip_prefix(b"{")?, &mut rest)?;
        let (kind, form) = FORMS.into_iter().find(|(kind, _)| kind.as_bytes() == name)?;
        rest = rest.strip_prefix(b":{")?;
        let mut members = Vec::new();
        loop {
            let name = quoted(rest, &mut rest)?;
            rest = rest.strip_prefix(b":")?;
            let member = match rest.first()? {
                b'"' => Member::Text(quoted(rest, &mut rest)?),
                _ => Member::Number(number(rest, &mut rest)?),
            };
            members.push((name, member));
            if rest.is_empty() {
                break;
            }
            rest = rest.strip_prefix(b",")?;
        }
        let said = members.iter().map(|(name, member)| {
            let sort = if matches!(member, Member::Number(_)) { b'#' } else { b'$' };
            std::iter::once(sort).chain(name.iter().copied()).collect::<Vec<u8>>()
        });
        said.eq(form.split(' ').map(|member| member.as_bytes().to_vec())).then_some(Event { kind, members })
    }

    /// A number that the form has.
    pub(super) fn number(&self, name: &str) -> u64 {
        match self.member(name) {
            Some(Member::Number(number)) => number,
            _ => unreachable!("the form of {} has the number {name}", self.kind),
        }
    }

    /// A text that the form has.
    pub(super) fn text(&self, name: &str) -> &'l [u8] {
        match self.member(name) {
            Some(Member::Text(text)) => text,
            _ => unreachable!("the form of {} has the text {name}", self.kind),
        }
    }

    fn member(&self, wanted: &str) -> Option<Member<'l>> {
        self.members.iter().find(|(name, _)| *name == wanted.as_bytes()).map(|(_, member)| *member)
    }
}

/// The event of a line, if it is of this kind.
pub(super) fn event<'l>(line: &'l [u8], kind: &str) -> Option<Event<'l>> {
    Event::of(line).filter(|event| event.kind == kind)
}

/// The bytes between the quotation mark that `text` starts with and the next one; no escapes. `rest` is what follows.
fn quoted<'l>(text: &'l [u8], rest: &mut &'l [u8]) -> Option<&'l [u8]> {
    let mut parts = text.splitn(3, |byte| *byte == b'"');
    let (before, inside, behind) = (parts.next()?, parts.next()?, parts.next()?);
    *rest = behind;
    (before.is_empty() && !inside.contains(&b'\\')).then_some(inside)
}

/// The digits that `text` starts with, 1 to 19 of them, no zero in front of others. `rest` is what follows.
fn number<'l>(text: &'l [u8], rest: &mut &'l [u8]) -> Option<u64> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, behind) = text.split_at(length);
    *rest = behind;
    let is_plain = length <= 19 && (length == 1 || !digits.starts_with(b"0"));
    std::str::from_utf8(digits).ok().filter(|_| is_plain).and_then(|digits| digits.parse().ok())
}
