//! Names of frames and threads, cleaned for people: demangled, without hashes, harmless.

use crate::inert;

/// Longest name, in characters; generic types can be of any length.
const NAME_LIMIT: usize = 200;

/// Hexadecimal digits of the shortest crate disambiguator that is cut, `[0123abcd]`.
const DISAMBIGUATOR_DIGITS: usize = 8;

/// A frame's name: demangled if it is still mangled, without symbol hash and crate disambiguators, on one line, of bounded length.
pub fn clean(name: &str) -> String {
    let demangled = format!("{:#}", rustc_demangle::demangle(name.trim()));
    let plain = without_disambiguators(without_hash(&demangled));
    match plain.is_empty() {
        true => "unknown".to_owned(),
        false => inert::short(&plain, NAME_LIMIT),
    }
}

/// A thread's name without the number of the worker: `db-worker-3` is `db-worker`.
pub fn thread(name: &str) -> String {
    if name.contains("::") || name.contains('<') {
        return name.to_owned();
    }
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let bare = stem.trim_end_matches(['-', '_', '#']);
    match stem.len() < name.len() && bare.len() < stem.len() && !bare.is_empty() {
        true => bare.to_owned(),
        false => name.to_owned(),
    }
}

/// Cuts `::h0123456789abcdef` at the end, which legacy symbols carry.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && is_hex(hash) => path,
        _ => name,
    }
}

/// Cuts `[0123456789abcdef]` behind crate names.
fn without_disambiguators(name: &str) -> String {
    let mut kept = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(open) = rest.find('[') {
        let after = &rest[open + 1..];
        let inside = after.find(']').map(|close| &after[..close]);
        kept.push_str(&rest[..open]);
        match inside.filter(|inside| inside.len() >= DISAMBIGUATOR_DIGITS && is_hex(inside)) {
            Some(inside) => rest = &after[inside.len() + 1..],
            None => {
                kept.push('[');
                rest = after;
            }
        }
    }
    kept.push_str(rest);
    kept
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_lose_hashes_disambiguators_and_mangling() {
        let cases = [
            ("a::b::h0123456789abcdef", "a::b"),
            ("a::b::h0123", "a::b::h0123"),
            ("core[4e9b25d2c0b1a6f3]::ops::call<std[12345678]::vec::Vec>", "core::ops::call<std::vec::Vec>"),
            ("<[u8; 8] as Eq>::eq", "<[u8; 8] as Eq>::eq"),
            ("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("memcpy", "memcpy"),
            ("", "unknown"),
            ("open[ and [12", "open[ and [12"),
        ];
        for (raw, cleaned) in cases {
            assert_eq!(clean(raw), cleaned);
        }
    }

    #[test]
    fn frames_are_harmless_and_bounded() {
        assert_eq!(clean("a\u{1b}[0mb\nc"), "a�[0mb�c");
        assert_eq!(clean(&"x".repeat(5000)).chars().count(), NAME_LIMIT);
    }

    #[test]
    fn threads_lose_the_number_of_the_worker_only() {
        let cases = [
            ("db-worker-0", "db-worker"),
            ("db-worker-17", "db-worker"),
            ("pool_3", "pool"),
            ("db-driver", "db-driver"),
            ("worker7", "worker7"),
            ("42", "42"),
            ("-1", "-1"),
            ("a::b_1", "a::b_1"),
        ];
        for (name, merged) in cases {
            assert_eq!(thread(name), merged);
        }
    }
}
