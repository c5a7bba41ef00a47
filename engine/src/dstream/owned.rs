//! `owned`: texts as allocations of their own, as a job written with `String` or `Vec<u8>` would hold them.

use super::source::push_column;
use super::{DStream, Node, Prepared, Sink};
use crate::error::EngineError;
use crate::record::{Own, Text};
use crate::schedule::job::JobRun;
use std::sync::Arc;

impl DStream<Text> {
    /// The same texts, each copied into one allocation of its own, which lives until the operators behind it have seen the
    /// record. What this costs beside the borrowed views of [`Text`] is what most engines pay for every record.
    pub fn owned(&self) -> DStream<Own<Vec<u8>>> {
        self.derive(Arc::new(OwnedNode { parent: self.node.clone() }))
    }
}

struct OwnedNode {
    parent: Arc<dyn Node<Text>>,
}

impl Node<Own<Vec<u8>>> for OwnedNode {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.parent.prepare(run)
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<Own<Vec<u8>>>) -> Result<(), EngineError> {
        self.parent.push(batch, partition, &mut OwnedSink { texts: Vec::new(), sink })
    }
}

struct OwnedSink<'s> {
    /// Empty between calls; the list itself is allocated once.
    texts: Vec<Vec<u8>>,
    sink: &'s mut dyn Sink<Own<Vec<u8>>>,
}

impl Sink<Text> for OwnedSink<'_> {
    fn accept(&mut self, records: &[&[u8]]) {
        // Not pushed as a column's records are: that would clone what was made a moment ago.
        self.texts.extend(records.iter().map(|text| text.to_vec()));
        push_column::<Own<Vec<u8>>>(&self.texts, 0..self.texts.len(), self.sink);
        self.texts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers where the bytes of each record lie and what they are.
    #[derive(Default)]
    struct Seen {
        places: Vec<*const u8>,
        texts: Vec<Vec<u8>>,
    }

    impl Sink<Own<Vec<u8>>> for Seen {
        fn accept(&mut self, records: &[&Vec<u8>]) {
            self.places.extend(records.iter().map(|record| record.as_ptr()));
            self.texts.extend(records.iter().map(|record| (*record).clone()));
            assert!(records.iter().all(|record| record.capacity() == record.len()));
        }
    }

    #[test]
    fn each_text_lies_in_memory_of_its_own_and_is_the_same_bytes() {
        let lines: Vec<Vec<u8>> = (0..1000u32).map(|line| format!("line {line} \u{fc}").into_bytes()).collect();
        let views: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let mut seen = Seen::default();
        let mut sink = OwnedSink { texts: Vec::new(), sink: &mut seen };
        sink.accept(&views);
        sink.accept(&[b"", b"\xff\0"]);
        assert!(sink.texts.is_empty());
        assert_eq!(seen.texts[..1000], lines);
        assert_eq!(seen.texts[1000..], [&b""[..], b"\xff\0"]);
        let mut places = seen.places[..1000].to_vec();
        assert!(places.iter().zip(&views).all(|(place, view)| !std::ptr::eq(*place, view.as_ptr())), "not the input's");
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 1000, "no two share their memory while they are shown");
    }
}
