//! The colours of the report for light and dark, and the stylesheet with the hash that lets a browser apply it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// Name, light and dark value of each colour.
const COLOURS: &[(&str, &str, &str)] = &[
    ("paper", "#fdfdfb", "#14171a"),
    ("panel", "#f4f4f0", "#1d2125"),
    ("ink", "#1b1e21", "#e7e7e2"),
    ("quiet", "#5a6168", "#a2a9b0"),
    ("rule", "#dcdcd5", "#343a40"),
    ("shade", "#9aa0a6", "#5a6168"),
    ("good", "#17703f", "#66cf94"),
    ("bad", "#ad2318", "#ff938a"),
    ("unsure", "#7d5200", "#e8b955"),
    ("work", "#0a64a4", "#6db7ee"),
    ("wait", "#a85d00", "#e69f00"),
    ("late", "#b8410c", "#ff9a66"),
    ("floor", "#8a929a", "#7e8790"),
];

/// Fills of segments and frames, the same in both themes, always under [`SEGMENT_TEXT`] and with an outline.
pub(super) const SEGMENTS: [&str; 7] = ["#cfd4d8", "#a9d0ee", "#f7d08a", "#b4dfb9", "#e4c5ea", "#f6bcb0", "#d9dba0"];

/// Steps of heat maps, light to dark, the same in both themes, always under [`SEGMENT_TEXT`].
const HEAT: [&str; 5] = ["#f6f3e4", "#dbe6cb", "#b3d6bb", "#84c0b5", "#5ba6b3"];

/// Fills of frames with a smaller or a larger share than usual, by how much, the same in both themes, always marked, too.
const DIFFERENCES: [(&str, &str); 4] =
    [("less-2", "#7fb4e0"), ("less-1", "#bcd9f0"), ("more-1", "#f8cfb5"), ("more-2", "#ef9a6a")];

/// Text on [`SEGMENTS`], [`HEAT`] and [`DIFFERENCES`].
const SEGMENT_TEXT: &str = "#1b1e21";

/// The word on the button that changes the theme.
pub(super) const BUTTON: &str = "light or dark";

const RULES: &str = include_str!("style.css");

/// The whole stylesheet.
pub(super) fn stylesheet() -> String {
    let variables = |dark: bool| -> String {
        let value =
            |(name, light, night): &(&str, &str, &str)| format!("--{name}:{};", if dark { night } else { light });
        COLOURS.iter().map(value).collect()
    };
    let heat: String = HEAT
        .iter()
        .enumerate()
        .map(|(step, fill)| format!(".h{step}{{background:{fill};color:{SEGMENT_TEXT}}}"))
        .collect();
    let segments: String =
        SEGMENTS.iter().enumerate().map(|(number, fill)| format!(".s{number}{{fill:{fill}}}")).collect();
    let differences: String = DIFFERENCES.iter().map(|(name, fill)| format!(".{name}{{fill:{fill}}}")).collect();
    format!(
        ":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\
         :root[data-theme=light]{{color-scheme:light;{light}}}:root[data-theme=dark]{{color-scheme:dark;{dark}}}\
         @media print{{:root,:root[data-theme]{{color-scheme:light;{light}}}}}{heat}{segments}{differences}.on-segment{{fill:{SEGMENT_TEXT}}}\n{RULES}",
        light = variables(false),
        dark = variables(true),
    )
}

/// The policy that lets a browser load nothing, apply exactly this stylesheet and run exactly this script.
pub(super) fn content_security_policy(stylesheet: &str, script: &str) -> String {
    let hash = |text: &str| BASE64.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(stylesheet),
        hash(script)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of WCAG 2.2.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn colour(name: &str, dark: bool) -> &'static str {
        let (_, light, night) = COLOURS.iter().find(|(known, _, _)| *known == name).unwrap();
        if dark { night } else { light }
    }

    #[test]
    fn text_is_readable_in_both_themes() {
        for dark in [false, true] {
            for text in ["ink", "quiet", "good", "bad", "unsure", "work", "wait", "late"] {
                for ground in ["paper", "panel"] {
                    let ratio = contrast(colour(text, dark), colour(ground, dark));
                    assert!(ratio >= 4.5, "{text} on {ground}, dark {dark}: {ratio:.2}");
                }
            }
        }
        for fill in SEGMENTS.into_iter().chain(HEAT).chain(DIFFERENCES.map(|(_, fill)| fill)) {
            assert!(contrast(SEGMENT_TEXT, fill) >= 4.5, "{fill}");
        }
    }

    #[test]
    fn marks_are_visible_in_both_themes() {
        for dark in [false, true] {
            for mark in ["work", "wait", "late", "floor"] {
                let ratio = contrast(colour(mark, dark), colour("paper", dark));
                assert!(ratio >= 3.0, "{mark}, dark {dark}: {ratio:.2}");
            }
        }
    }

    #[test]
    fn policy_names_the_hash_of_the_stylesheet() {
        // printf 'a{}' | openssl dgst -sha256 -binary | base64
        assert!(
            content_security_policy("a{}", "")
                .contains("style-src 'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk='")
        );
    }

    #[test]
    fn stylesheet_uses_known_variables_and_loads_nothing() {
        let css = stylesheet();
        for part in css.split("var(--").skip(1) {
            let name = part.split(')').next().unwrap();
            assert!(COLOURS.iter().any(|(known, _, _)| *known == name), "{name}");
        }
        assert!(!css.contains("url(") && !css.contains("@import") && !css.contains('<'));
    }
}
