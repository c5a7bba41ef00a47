//! Names of families in stored files.

/// The name of a type as the compiler gives it, each `a::b::C` shortened to `C`: a type that moves to another module or program keeps
/// its name.
pub(super) fn without_paths(type_name: &str) -> String {
    let mut short = String::new();
    let mut parts = type_name.split("::").peekable();
    while let Some(part) = parts.next() {
        short.push_str(part);
        if parts.peek().is_some() {
            let path = |letter: char| letter.is_alphanumeric() || letter == '_';
            short.truncate(short.trim_end_matches(path).len());
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::without_paths;
    use crate::record::{Family, List, Maybe, Own, Pair, Text};

    #[test]
    fn paths_go_and_the_rest_stays() {
        assert_eq!(without_paths("alloc::vec::Vec<(a::b_c::D, &str, [u8; 4])>"), "Vec<(D, &str, [u8; 4])>");
        assert_eq!(without_paths("u64"), "u64");
    }

    // These names are in files: a change of one makes old files unreadable.
    #[test]
    fn families_have_the_names_that_files_hold() {
        assert_eq!(<Pair<Text, List<Maybe<u64>>>>::name(), "Pair<Text, List<Maybe<u64>>>");
        assert_eq!(<Pair<i32, Own<(u32, u64)>>>::name(), "Pair<i32, Own<(u32, u64), 16 bytes>>");
    }
}
