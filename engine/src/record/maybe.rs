//! Records that may be missing: what outer joins give for the side that has no partner.

use super::{Column, Family, PartsReader, PartsWriter, sections};
use crate::error::EngineError;
use rkyv::util::AlignedVec;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use std::ops::Range;

/// Records of the family `R`, or none; the view is an `Option` of its view.
pub struct Maybe<R>(PhantomData<fn() -> R>);

impl<R: Family> Family for Maybe<R> {
    type View<'a> = Option<R::View<'a>>;
    type Column = MaybeColumn<R>;

    fn reborrow<'short, 'long: 'short>(view: Option<R::View<'long>>) -> Option<R::View<'short>> {
        view.map(R::reborrow)
    }

    fn name() -> String {
        format!("Maybe<{}>", R::name())
    }
}

/// The records that are there in a column, and for each record its place in it.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct MaybeColumn<R: Family> {
    /// Place among the values; [`MISSING`] for none.
    places: Vec<u32>,
    values: R::Column,
}

const MISSING: u32 = u32::MAX;

impl<R: Family> Default for MaybeColumn<R> {
    fn default() -> Self {
        MaybeColumn { places: Vec::new(), values: R::Column::default() }
    }
}

impl<R: Family> Column<Maybe<R>> for MaybeColumn<R> {
    type Read<'a> = (<Vec<u32> as Column<u32>>::Read<'a>, <R::Column as Column<R>>::Read<'a>);

    fn len(&self) -> usize {
        self.places.len()
    }

    fn push(&mut self, view: Option<R::View<'_>>) {
        let Some(view) = view else {
            self.places.push(MISSING);
            return;
        };
        self.places.push(u32::try_from(self.values.len()).expect("blocks hold fewer than 2^32 records"));
        self.values.push(view);
    }

    fn view(&self, index: usize) -> Option<R::View<'_>> {
        let place = self.places[index];
        (place != MISSING).then(|| self.values.view(place as usize))
    }

    fn clear(&mut self) {
        self.places.clear();
        self.values.clear();
    }

    fn bytes(&self, range: Range<usize>) -> u64 {
        let there = || self.places[range.clone()].iter().filter(|place| **place != MISSING);
        let values = match (there().next(), there().next_back()) {
            (Some(first), Some(last)) => self.values.bytes(*first as usize..*last as usize + 1),
            _ => 0,
        };
        values + (range.len() * size_of::<u32>()) as u64
    }

    fn is_sound(&self) -> bool {
        let there = |place: &u32| *place == MISSING || (*place as usize) < self.values.len();
        self.places.iter().all(there) && self.values.is_sound()
    }

    fn encode_rkyv(&self, out: &mut AlignedVec) -> Result<(), EngineError> {
        sections::encode(out, |out| Column::<u32>::encode_rkyv(&self.places, out), |out| self.values.encode_rkyv(out))
    }

    fn decode_rkyv<'a>(bytes: &'a [u8], scratch: &'a mut Self) -> Result<Self::Read<'a>, EngineError> {
        let (places, values) = sections::split(bytes)?;
        let places = <Vec<u32> as Column<u32>>::decode_rkyv(places, &mut scratch.places)?;
        let values = R::Column::decode_rkyv(values, &mut scratch.values)?;
        let there = R::Column::read_len(&values);
        let valid = |place: u32| place == MISSING || (place as usize) < there;
        if !places.iter().all(|place| valid(place.to_native())) {
            return Err(sections::damaged("a record's place is outside its column"));
        }
        Ok((places, values))
    }

    fn write_parts(&self, parts: &mut PartsWriter<'_>) -> Result<(), EngineError> {
        parts.part(&self.places)?;
        self.values.write_parts(parts)
    }

    fn read_parts(&mut self, parts: &mut PartsReader<'_>) -> Result<(), EngineError> {
        self.places = parts.part()?;
        self.values.read_parts(parts)
    }

    fn read_len(read: &Self::Read<'_>) -> usize {
        read.0.len()
    }

    fn read_view<'r>(read: &'r Self::Read<'_>, index: usize) -> Option<R::View<'r>> {
        let place = read.0[index].to_native();
        (place != MISSING).then(|| R::Column::read_view(&read.1, place as usize))
    }
}
