//! Codecs: how a block of groups crosses an exchange when it is not simply moved. They work on whole blocks.

use crate::error::EngineError;
use crate::record::{CHUNK, Column, Family};
use crate::settings::CodecKind;
use rkyv::util::AlignedVec;

/// A block of records in encoded form.
pub struct Encoded {
    codec: CodecKind,
    bytes: AlignedVec,
}

impl Encoded {
    /// Encodes a column. `CodecKind::None` moves tables and has no encoded form of its own; asked for one, it gives JSON.
    ///
    /// # Errors
    /// What the codec reports.
    pub fn encode<R: Family>(codec: CodecKind, column: &R::Column) -> Result<Self, EngineError> {
        let mut bytes = AlignedVec::new();
        match codec {
            CodecKind::Rkyv => column.encode_rkyv(&mut bytes)?,
            CodecKind::Json | CodecKind::None => {
                serde_json::to_writer(&mut bytes, column).map_err(|error| json_error(&error))?;
            }
        }
        Ok(Encoded { codec, bytes })
    }

    /// What was encoded elsewhere, not yet validated.
    pub(crate) fn of_bytes(codec: CodecKind, bytes: AlignedVec) -> Self {
        Encoded { codec, bytes }
    }

    /// The encoded bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Size on the wire.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Shows the records, some at a time, as views that live as long as the call; returns how many there were.
    ///
    /// # Errors
    /// The bytes are not what the codec writes for this family.
    pub fn for_each_chunk<R: Family>(
        &self,
        scratch: &mut R::Column,
        mut visit: impl FnMut(&[R::View<'_>]),
    ) -> Result<usize, EngineError> {
        match self.codec {
            CodecKind::Rkyv => {
                let read = R::Column::decode_rkyv(&self.bytes, scratch)?;
                let records = R::Column::read_len(&read);
                in_chunks(records, |index| R::Column::read_view(&read, index), &mut visit);
                Ok(records)
            }
            CodecKind::Json | CodecKind::None => {
                *scratch = serde_json::from_slice(&self.bytes).map_err(|error| json_error(&error))?;
                if !scratch.is_sound() {
                    let problem = "the parts of a column do not fit together".into();
                    return Err(EngineError::Codec { codec: "json", problem });
                }
                in_chunks(scratch.len(), |index| scratch.view(index), &mut visit);
                Ok(scratch.len())
            }
        }
    }
}

fn in_chunks<V>(records: usize, view: impl Fn(usize) -> V, visit: &mut impl FnMut(&[V])) {
    let mut chunk = arrayvec::ArrayVec::<V, CHUNK>::new();
    for index in 0..records {
        chunk.push(view(index));
        if chunk.is_full() {
            visit(&chunk);
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        visit(&chunk);
    }
}

fn json_error(error: &serde_json::Error) -> EngineError {
    EngineError::Codec { codec: "json", problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{List, Maybe, Pair, PairColumn, Text};

    #[test]
    fn a_block_is_read_back_whole_and_a_cut_one_is_refused() {
        let mut column = PairColumn::<Text, u64>::default();
        for number in 0..100u64 {
            column.push((format!("word{number}").as_bytes(), number));
        }
        for codec in [CodecKind::Rkyv, CodecKind::Json] {
            let mut encoded = Encoded::encode::<Pair<Text, u64>>(codec, &column).expect("encodes");
            let mut seen = Vec::new();
            let mut scratch = PairColumn::default();
            let read = encoded.for_each_chunk::<Pair<Text, u64>>(&mut scratch, |chunk| {
                seen.extend(chunk.iter().map(|(word, number)| (word.to_vec(), *number)));
            });
            assert_eq!(read, Ok(100));
            assert_eq!(seen[42], (b"word42".to_vec(), 42));
            encoded.bytes.resize(encoded.len_bytes() / 2, 0);
            assert!(matches!(
                encoded.for_each_chunk::<Pair<Text, u64>>(&mut scratch, |_| ()),
                Err(EngineError::Codec { .. })
            ));
        }
    }

    #[test]
    fn json_whose_parts_do_not_fit_together_is_refused() {
        fn read<R: Family>(text: &str) -> Result<usize, EngineError> {
            let mut bytes = AlignedVec::new();
            bytes.extend_from_slice(text.as_bytes());
            let encoded = Encoded { codec: CodecKind::Json, bytes };
            encoded.for_each_chunk::<R>(&mut R::Column::default(), |_| ())
        }
        let refused = |result| matches!(result, Err(EngineError::Codec { codec: "json", .. }));
        assert_eq!(read::<Pair<u64, List<u64>>>(r#"{"keys":[1,2],"values":{"ends":[1,3],"records":[7,8,9]}}"#), Ok(2));
        assert!(refused(read::<Pair<u64, u64>>(r#"{"keys":[1,2],"values":[3]}"#)), "fewer values than keys");
        assert!(refused(read::<List<u64>>(r#"{"ends":[1,4],"records":[7,8,9]}"#)), "a list that ends outside");
        assert!(refused(read::<List<u64>>(r#"{"ends":[3,1],"records":[7,8,9]}"#)), "a list that ends before it starts");
        assert!(refused(read::<Maybe<u64>>(r#"{"places":[0,1],"values":[7]}"#)), "a value that is not there");
        let inner = r#"{"keys":[1],"values":{"places":[0],"values":{"ends":[2],"records":[7]}}}"#;
        assert!(refused(read::<Pair<u64, Maybe<List<u64>>>>(inner)), "a list inside");
    }
}
