//! The text of a record: what `print` shows and text files hold.

use crate::record::{Family, Own, OwnedRecord, Pair, Text};
use std::fmt::Write as _;

/// Families whose records `print` can write.
pub trait Printable: Family {
    /// Appends what Spark's `toString` gives: a pair is `(a,b)`; bytes that are no UTF-8 become U+FFFD.
    fn print(view: Self::View<'_>, out: &mut String);
}

impl Printable for Text {
    fn print(view: &[u8], out: &mut String) {
        out.push_str(&String::from_utf8_lossy(view));
    }
}

macro_rules! printable_integer {
    ($($integer:ty),*) => {$(
        impl Printable for $integer {
            fn print(view: $integer, out: &mut String) {
                // Writing to a string cannot fail.
                let _ = write!(out, "{view}");
            }
        }
    )*};
}

printable_integer!(u32, i32, u64, i64);

impl<T: OwnedRecord + std::fmt::Display> Printable for Own<T> {
    fn print(view: &T, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{view}");
    }
}

impl<A: Printable, B: Printable> Printable for Pair<A, B> {
    fn print((a, b): (A::View<'_>, B::View<'_>), out: &mut String) {
        out.push('(');
        A::print(a, out);
        out.push(',');
        B::print(b, out);
        out.push(')');
    }
}
