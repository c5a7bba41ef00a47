//! Names with their values, a row each: settings, environment, load.

use super::text;
use crate::quantity::bytes;
use maud::{Markup, html};
use std::collections::BTreeMap;

pub(crate) fn pairs<N: AsRef<str>, V: AsRef<str>>(label: &str, rows: impl IntoIterator<Item = (N, V)>) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label=(label) {
            table { tbody { @for (name, value) in rows {
                tr { th scope="row" { (text(name.as_ref())) } td { (text(value.as_ref())) } }
            } } }
        }
    }
}

/// What a record keeps of its host; sizes are shown in the unit that fits.
pub(crate) fn environment(kept: &BTreeMap<String, String>) -> Markup {
    pairs("Environment", kept.iter().map(|(name, value)| readable(name, value)))
}

fn readable(name: &str, value: &str) -> (String, String) {
    match (name.strip_suffix("_bytes"), value.parse()) {
        (Some(name), Ok(size)) => (name.to_owned(), bytes(size)),
        _ => (name.to_owned(), value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_what_is_no_size_stays() {
        assert_eq!(readable("memory_bytes", "25282281472"), ("memory".into(), "23.5 GiB".into()));
        assert_eq!(readable("memory_bytes", "much"), ("memory_bytes".into(), "much".into()));
        assert_eq!(readable("cores", "2"), ("cores".into(), "2".into()));
    }
}
