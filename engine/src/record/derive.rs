//! The macro that makes a struct of a user fit to be an owned record under every codec.

/// Declares a struct with all that [`Own`](crate::record::Own) asks of it: clone, serde, and the derives of rkyv, bitcode and
/// wincode.
///
/// To be a key it also needs `#[derive(PartialEq, Eq, Hash)]`, to be a value `#[derive(Default)]`.
///
/// ```
/// use downbeat_engine::record::{Own, Text};
/// use downbeat_engine::{Settings, StreamingContext, record};
///
/// record! {
///     /// Who visited, and for how long.
///     #[derive(Default)]
///     pub struct Visit {
///         pub user: String,
///         pub seconds: u32,
///     }
/// }
///
/// let context = StreamingContext::new(Settings::default())?;
/// let (_feed, visits) = context.queue_stream::<Own<Visit>>();
/// let by_user = visits.map_to_pair::<Text, u32>(|visit| (visit.user.as_bytes(), visit.seconds));
/// by_user.reduce_by_key(|a, b| a + b).for_each_batch(|batch| assert!(batch.is_empty()));
/// # Ok::<(), downbeat_engine::EngineError>(())
/// ```
#[macro_export]
macro_rules! record {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident { $($field_visibility:vis $field:ident: $type:ty),* $(,)? }) => {
        $(#[$attribute])*
        #[derive(
            Clone,
            $crate::serde::Serialize,
            $crate::serde::Deserialize,
            $crate::rkyv::Archive,
            $crate::rkyv::Serialize,
            $crate::rkyv::Deserialize,
            $crate::bitcode::Encode,
            $crate::bitcode::Decode,
            $crate::wincode::SchemaWrite,
            $crate::wincode::SchemaRead,
        )]
        #[serde(crate = "downbeat_engine::serde")]
        #[rkyv(crate = downbeat_engine::rkyv)]
        #[bitcode(crate = "downbeat_engine::bitcode")]
        #[wincode(crate = downbeat_engine::wincode)]
        $visibility struct $name { $($field_visibility $field: $type),* }
    };
}
