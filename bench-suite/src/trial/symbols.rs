//! Names of sampled addresses, looked up after the trial: folded stacks with what was inlined into each function.

use std::collections::HashMap;

/// Folds stacks of addresses, each of the thread of that name; addresses come innermost first, frames outermost first.
pub(super) fn fold(stacks: &[(&str, &[u64])]) -> Vec<String> {
    let mut known: HashMap<u64, Vec<String>> = HashMap::new();
    stacks.iter().map(|(thread, addresses)| folded(thread, addresses, &mut known)).collect()
}

fn folded(thread: &str, addresses: &[u64], known: &mut HashMap<u64, Vec<String>>) -> String {
    let mut frames: Vec<&str> = Vec::new();
    let ends: Vec<u64> =
        addresses.iter().enumerate().map(|(depth, address)| end_of_instruction(depth, *address)).collect();
    for end in &ends {
        known.entry(*end).or_insert_with(|| names(*end));
    }
    for (depth, end) in ends.iter().enumerate() {
        match &known[end] {
            names if !names.is_empty() => frames.extend(names.iter().map(String::as_str)),
            _ if depth == 0 => frames.push("unknown"),
            // Without frame pointers the chain runs into what is no code; nothing beyond is a caller.
            _ => break,
        }
    }
    let outermost_first = frames.iter().rev().map(|name| clean(name));
    std::iter::once(clean(thread)).chain(outermost_first).collect::<Vec<_>>().join(";")
}

/// An address inside or right after the instruction that ran: symbols are looked up one byte before it, as for return addresses, but the
/// innermost frame was interrupted in front of its instruction.
fn end_of_instruction(depth: usize, address: u64) -> u64 {
    if depth == 0 { address.saturating_add(1) } else { address }
}

/// The functions whose code ends at an address, the one that was inlined deepest first.
fn names(end: u64) -> Vec<String> {
    let mut names = Vec::new();
    backtrace::resolve(end as usize as *mut std::ffi::c_void, |symbol| {
        names.extend(symbol.name().map(|name| format!("{name:#}")));
    });
    names
}

/// `;` parts frames and a line end parts stacks.
fn clean(name: &str) -> String {
    name.replace(';', ":").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_functions_have_their_names_and_what_is_no_code_ends_a_stack() {
        let inside = fold as *const () as usize as u64 + 1;
        let folded = fold(&[("db-jobs-0", &[inside, 16, inside]), ("a;b", &[16])]);
        assert!(folded[0].starts_with("db-jobs-0;") && folded[0].contains("symbols::fold"), "{folded:?}");
        assert_eq!(folded[0].matches("symbols::fold").count(), 1, "nothing lies beyond what is no code: {folded:?}");
        assert_eq!(folded[1], "a:b;unknown");
    }

    #[test]
    fn callers_are_looked_up_in_the_call_before_the_return_address() {
        // The first byte of a function is what a call that never returns, at the end of the one before it, would return to.
        let folded = fold(&[("t", &[fold as *const () as usize as u64, fold as *const () as usize as u64])]);
        assert!(folded[0].ends_with("symbols::fold"), "{folded:?}");
        assert_eq!(folded[0].matches("symbols::fold").count(), 1, "{folded:?}");
    }
}
