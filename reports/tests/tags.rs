//! A small tokenizer of HTML for tests: the elements of a page in order, with their attributes, and what the page says.

/// An opening or closing tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// The name; closing tags start with `/`.
    pub(crate) name: String,
    /// Names and values of the attributes.
    pub(crate) attributes: Vec<(String, String)>,
}

/// A tag, or the text up to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Tag(Tag),
    Text(String),
}

/// The tags of a page, in order.
pub(crate) fn tokenize(page: &str) -> Vec<Tag> {
    let tags = pieces(page).into_iter().filter_map(|piece| match piece {
        Piece::Tag(tag) => Some(tag),
        Piece::Text(_) => None,
    });
    tags.collect()
}

/// What a page says, text by text, decoded. Labels inside plots are left out: whether they are drawn depends on their width.
pub(crate) fn texts(page: &str) -> Vec<String> {
    let (mut texts, mut is_label) = (Vec::new(), false);
    for piece in pieces(page) {
        match piece {
            Piece::Tag(tag) if tag.name.ends_with("text") => is_label = tag.name == "text",
            Piece::Text(text) if !is_label && !text.trim().is_empty() => texts.push(decoded(&text)),
            _ => {}
        }
    }
    texts
}

/// Characters by their names, `&amp;` last.
pub(crate) fn decoded(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'")];
    named.iter().fold(text.to_owned(), |text, (name, c)| text.replace(name, c)).replace("&amp;", "&")
}

/// Tags and texts, in order; the content of `style` and `script` is neither.
fn pieces(page: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = page;
    while let Some(open) = next_tag(rest) {
        pieces.push(Piece::Text(rest[..open].to_owned()));
        let (tag, after) = tag(&rest[open + 1..]);
        rest = after;
        if tag.name == "style" || tag.name == "script" {
            let end = format!("</{}", tag.name);
            rest = rest.find(&end).map_or("", |at| &rest[at..]);
        }
        pieces.push(Piece::Tag(tag));
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces
}

fn next_tag(text: &str) -> Option<usize> {
    let starts_tag = |after: &str| after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
    text.match_indices('<').map(|(at, _)| at).find(|at| starts_tag(&text[at + 1..]))
}

fn tag(text: &str) -> (Tag, &str) {
    let name_end = text.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len());
    let mut tag = Tag { name: text[..name_end].to_ascii_lowercase(), attributes: Vec::new() };
    let mut rest = &text[name_end..];
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return (tag, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (tag, after);
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '>').unwrap_or(rest.len()).max(1);
        let name = rest[..end].to_ascii_lowercase();
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let close = quoted.find('"').unwrap_or(quoted.len());
            value = quoted[..close].to_owned();
            rest = quoted.get(close + 1..).unwrap_or("");
        }
        tag.attributes.push((name, value));
    }
}
