//! Text: lines and words as bytes, which need not be valid UTF-8.

use super::{Column, Family, PartsReader, PartsWriter, append_archive, rkyv_error};
use crate::error::EngineError;
use rkyv::util::AlignedVec;
use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::Range;

/// Records that are text. The view is a slice of bytes: input may be invalid UTF-8.
pub struct Text;

impl Family for Text {
    type View<'a> = &'a [u8];
    type Column = TextColumn;

    fn reborrow<'short, 'long: 'short>(view: &'long [u8]) -> &'short [u8] {
        view
    }
}

/// Many texts, one after another, each followed by a newline.
///
/// The newlines make the bytes of a range of lines one piece of text, so that operators which treat a newline as white
/// space (`words`) can work on whole blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct TextColumn {
    bytes: Vec<u8>,
    /// Where the newline of each text is.
    ends: Vec<u32>,
}

impl TextColumn {
    /// Bytes after which a column should be closed; offsets are 32 bits wide.
    pub const FULL_BYTES: usize = 1 << 30;

    /// An empty column with room for `texts` texts of together `bytes` bytes.
    pub fn with_capacity(texts: usize, bytes: usize) -> Self {
        TextColumn { bytes: Vec::with_capacity(bytes + texts), ends: Vec::with_capacity(texts) }
    }

    /// The bytes of a range of texts, newlines included.
    pub fn joined(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[self.start(range.start)..self.start(range.end)]
    }

    /// Bytes held, newlines included.
    pub fn total_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] as usize + 1 }
    }
}

impl Column<Text> for TextColumn {
    type Read<'a> = &'a ArchivedTextColumn;

    fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    fn push(&mut self, view: &[u8]) {
        self.bytes.extend_from_slice(view);
        let end = u32::try_from(self.bytes.len()).expect("columns are closed at FULL_BYTES, far below 4 GiB");
        self.ends.push(end);
        self.bytes.push(b'\n');
    }

    #[inline]
    fn view(&self, index: usize) -> &[u8] {
        &self.bytes[self.start(index)..self.ends[index] as usize]
    }

    fn append(&mut self, other: &Self) {
        let shift = u32::try_from(self.bytes.len() + other.bytes.len())
            .expect("columns are closed at FULL_BYTES, far below 4 GiB")
            - other.bytes.len() as u32;
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| end + shift));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn bytes(&self, range: Range<usize>) -> u64 {
        (self.start(range.end) - self.start(range.start)) as u64
    }

    fn encode_rkyv(&self, out: &mut AlignedVec) -> Result<(), EngineError> {
        append_archive(self, out)
    }

    fn decode_rkyv<'a>(bytes: &'a [u8], _: &'a mut Self) -> Result<Self::Read<'a>, EngineError> {
        let archived =
            rkyv::access::<ArchivedTextColumn, rkyv::rancor::Error>(bytes).map_err(|error| rkyv_error(&error))?;
        let mut start = 0;
        for end in archived.ends.iter().map(|end| end.to_native()) {
            if end < start || end as usize >= archived.bytes.len() {
                return Err(EngineError::Codec {
                    codec: "rkyv",
                    problem: format!("a text ends at byte {end}, outside its column"),
                });
            }
            start = end + 1;
        }
        Ok(archived)
    }

    fn write_parts(&self, parts: &mut PartsWriter<'_>) -> Result<(), EngineError> {
        parts.bytes(&self.bytes);
        parts.ends(&self.ends, 1)
    }

    fn read_parts(&mut self, parts: &mut PartsReader<'_>) -> Result<(), EngineError> {
        let bytes = parts.bytes()?;
        self.ends = parts.ends(1, bytes.len())?;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn read_len(read: &Self::Read<'_>) -> usize {
        read.ends.len()
    }

    fn read_view<'r>(read: &'r Self::Read<'_>, index: usize) -> &'r [u8] {
        let start = if index == 0 { 0 } else { read.ends[index - 1].to_native() as usize + 1 };
        &read.bytes[start..read.ends[index].to_native() as usize]
    }
}

/// JSON form: an array of strings; a text that is no UTF-8 is an array of its bytes.
impl Serialize for TextColumn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.len()))?;
        for index in 0..self.len() {
            match std::str::from_utf8(self.view(index)) {
                Ok(text) => sequence.serialize_element(text)?,
                Err(_) => sequence.serialize_element(self.view(index))?,
            }
        }
        sequence.end()
    }
}

impl<'de> Deserialize<'de> for TextColumn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = TextColumn;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an array of strings or of arrays of bytes")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<TextColumn, A::Error> {
                let mut column = TextColumn::default();
                while let Some(one) = sequence.next_element::<OneText>()? {
                    column.push(&one.0);
                }
                Ok(column)
            }
        }
        deserializer.deserialize_seq(Texts)
    }
}

/// A string, or the bytes of what is no string.
struct OneText(Vec<u8>);

impl<'de> Deserialize<'de> for OneText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OneText;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a string or an array of bytes")
            }
            fn visit_str<E>(self, text: &str) -> Result<OneText, E> {
                Ok(OneText(text.as_bytes().to_vec()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<OneText, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = sequence.next_element()? {
                    bytes.push(byte);
                }
                Ok(OneText(bytes))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
