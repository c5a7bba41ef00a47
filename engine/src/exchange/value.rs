//! Values: records that can be kept beside a key and combined.

use crate::record::{Family, Maybe, Own, OwnedRecord, Pair, Text};

/// A family whose records can be combined per key.
pub trait Value: Family {
    /// The value on its own, as closures that combine see it.
    type Owned: Clone + Default + Send + Sync + 'static;
    /// Takes the value out of a record.
    fn own(view: Self::View<'_>) -> Self::Owned;
    /// Shows the value as a record.
    fn view(owned: &Self::Owned) -> Self::View<'_>;
}

macro_rules! integer_value {
    ($($integer:ty),*) => {$(
        impl Value for $integer {
            type Owned = $integer;

            #[inline(always)]
            fn own(view: $integer) -> $integer {
                view
            }

            #[inline(always)]
            fn view(owned: &$integer) -> $integer {
                *owned
            }
        }
    )*};
}

integer_value!(u32, i32, u64, i64);

impl Value for Text {
    type Owned = Vec<u8>;

    fn own(view: &[u8]) -> Vec<u8> {
        view.to_vec()
    }

    fn view(owned: &Vec<u8>) -> &[u8] {
        owned
    }
}

impl<T: OwnedRecord + Default> Value for Own<T> {
    type Owned = T;

    fn own(view: &T) -> T {
        view.clone()
    }

    fn view(owned: &T) -> &T {
        owned
    }
}

impl<A: Value, B: Value> Value for Pair<A, B> {
    type Owned = (A::Owned, B::Owned);

    fn own((a, b): (A::View<'_>, B::View<'_>)) -> Self::Owned {
        (A::own(a), B::own(b))
    }

    fn view((a, b): &Self::Owned) -> (A::View<'_>, B::View<'_>) {
        (A::view(a), B::view(b))
    }
}

impl<R: Value> Value for Maybe<R> {
    type Owned = Option<R::Owned>;

    fn own(view: Option<R::View<'_>>) -> Self::Owned {
        view.map(R::own)
    }

    fn view(owned: &Self::Owned) -> Option<R::View<'_>> {
        owned.as_ref().map(R::view)
    }
}
