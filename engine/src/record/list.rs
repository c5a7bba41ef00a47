//! Lists of records as one record: what groupings give per key, and `glom` per partition.

use super::{Column, Family, PartsReader, PartsWriter, sections};
use crate::error::EngineError;
use rkyv::util::AlignedVec;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use std::ops::Range;

/// Records that are lists of records of the family `R`; the view is a [`ListView`].
pub struct List<R>(PhantomData<fn() -> R>);

impl<R: Family> Family for List<R> {
    type View<'a> = ListView<'a, R>;
    type Column = ListColumn<R>;

    fn reborrow<'short, 'long: 'short>(view: ListView<'long, R>) -> ListView<'short, R> {
        view
    }

    fn name() -> String {
        format!("List<{}>", R::name())
    }
}

/// Records that can be asked for by number: a column, or what was read of an encoded one.
trait Numbered<R: Family>: Sync {
    fn at(&self, index: usize) -> R::View<'_>;
}

impl<R: Family, C: Column<R>> Numbered<R> for C {
    fn at(&self, index: usize) -> R::View<'_> {
        self.view(index)
    }
}

/// Records read back from encoded bytes.
pub struct ReadRecords<'a, R: Family>(<R::Column as Column<R>>::Read<'a>);

impl<R: Family> Numbered<R> for ReadRecords<'_, R> {
    fn at(&self, index: usize) -> R::View<'_> {
        R::Column::read_view(&self.0, index)
    }
}

/// A list as a closure sees it.
pub struct ListView<'a, R: Family> {
    source: &'a dyn Numbered<R>,
    start: usize,
    end: usize,
}

impl<R: Family> Clone for ListView<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Family> Copy for ListView<'_, R> {}

impl<'a, R: Family> ListView<'a, R> {
    /// All records of a column as one list.
    pub fn of(column: &'a R::Column) -> Self {
        Self::range(column, 0..column.len())
    }

    /// Some records of a column, which follow each other, as one list.
    pub(crate) fn range(column: &'a R::Column, range: Range<usize>) -> Self {
        ListView { source: column, start: range.start, end: range.end }
    }

    /// How many records.
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// True when there is none.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The records, in their order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = R::View<'a>> {
        (self.start..self.end).map(move |index| self.source.at(index))
    }
}

/// The records of all lists in one column, and where each list ends in it.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ListColumn<R: Family> {
    ends: Vec<u32>,
    records: R::Column,
}

impl<R: Family> Default for ListColumn<R> {
    fn default() -> Self {
        ListColumn { ends: Vec::new(), records: R::Column::default() }
    }
}

impl<R: Family> ListColumn<R> {
    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] as usize }
    }

    /// Appends a record to the list that is being made.
    pub(crate) fn push_record(&mut self, record: R::View<'_>) {
        self.records.push(record);
    }

    /// Ends the list that is being made; it is the last one of the column then.
    pub(crate) fn close(&mut self) {
        self.ends.push(u32::try_from(self.records.len()).expect("blocks hold fewer than 2^32 records"));
    }

    fn span(&self, lists: Range<usize>) -> Range<usize> {
        self.start(lists.start)..self.start(lists.end)
    }
}

impl<R: Family> Column<List<R>> for ListColumn<R> {
    type Read<'a> = (<Vec<u32> as Column<u32>>::Read<'a>, ReadRecords<'a, R>);

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn push(&mut self, view: ListView<'_, R>) {
        view.iter().for_each(|record| self.push_record(record));
        self.close();
    }

    fn view(&self, index: usize) -> ListView<'_, R> {
        ListView::range(&self.records, self.span(index..index + 1))
    }

    fn clear(&mut self) {
        self.ends.clear();
        self.records.clear();
    }

    fn bytes(&self, range: Range<usize>) -> u64 {
        self.records.bytes(self.span(range.clone())) + (range.len() * size_of::<u32>()) as u64
    }

    fn is_sound(&self) -> bool {
        let last = self.ends.last().map_or(0, |end| *end as usize);
        self.ends.is_sorted() && last <= self.records.len() && self.records.is_sound()
    }

    fn encode_rkyv(&self, out: &mut AlignedVec) -> Result<(), EngineError> {
        sections::encode(out, |out| Column::<u32>::encode_rkyv(&self.ends, out), |out| self.records.encode_rkyv(out))
    }

    fn decode_rkyv<'a>(bytes: &'a [u8], scratch: &'a mut Self) -> Result<Self::Read<'a>, EngineError> {
        let (ends, records) = sections::split(bytes)?;
        let ends = <Vec<u32> as Column<u32>>::decode_rkyv(ends, &mut scratch.ends)?;
        let records = R::Column::decode_rkyv(records, &mut scratch.records)?;
        let last = ends.iter().try_fold(0, |start, end| (end.to_native() >= start).then_some(end.to_native()));
        if last.is_none_or(|last| last as usize > R::Column::read_len(&records)) {
            return Err(sections::damaged("a list ends outside its column"));
        }
        Ok((ends, ReadRecords(records)))
    }

    fn write_parts(&self, parts: &mut PartsWriter<'_>) -> Result<(), EngineError> {
        self.records.write_parts(parts)?;
        parts.ends(&self.ends, 0)
    }

    fn read_parts(&mut self, parts: &mut PartsReader<'_>) -> Result<(), EngineError> {
        self.records.read_parts(parts)?;
        self.ends = parts.ends(0, self.records.len())?;
        Ok(())
    }

    fn read_len(read: &Self::Read<'_>) -> usize {
        read.0.len()
    }

    fn read_view<'r>(read: &'r Self::Read<'_>, index: usize) -> ListView<'r, R> {
        let start = if index == 0 { 0 } else { read.0[index - 1].to_native() as usize };
        ListView { source: &read.1, start, end: read.0[index].to_native() as usize }
    }
}
