//! The sources that streams are made of.

use super::StreamingContext;
use crate::dstream::{DStream, FileNode, SourceNode, operator};
use crate::record::{Family, Text};
use crate::source::input::{AnyInput, Input};
use crate::source::{
    DirectoryInput, DirectoryOptions, HttpOptions, HttpReceiver, OneAtATime, QueueHandle, QueueReceiver, Receiver,
    SocketReceiver, default_column,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

impl StreamingContext {
    /// Lines from a TCP peer that listens at `address` (`host:port`); connects again when the peer goes.
    pub fn socket_text_stream(&self, address: &str) -> DStream<Text> {
        self.socket_text_stream_of(&[address])
    }

    /// Lines from several TCP peers at once, each with a connection of its own, as one source: a batch holds what had arrived from
    /// any of them, in the order of arrival. Lines of one peer stay in order.
    pub fn socket_text_stream_of(&self, addresses: &[&str]) -> DStream<Text> {
        let owned = addresses.iter().map(|address| (*address).to_owned()).collect();
        let receiver = SocketReceiver::new(owned, self.settings.line_limit_bytes, self.restart_delay());
        self.receiver_stream(&format!("tcp://{}", addresses.join(",")), receiver)
    }

    /// Lines from a long-lived HTTP response, as a stream of tweets is one: a GET whose body never ends, with a JSON text per
    /// line and blank lines as signs of life, which are dropped (`keep_alives`). Connects again when the response ends or
    /// breaks off, with pauses as such servers ask for them ([`Backoff`](crate::source::Backoff)).
    ///
    /// `url` is `http://host[:port][/path][?query]`; anything else is refused at the start, `https` too: encryption is left to
    /// a proxy on this machine. A line that broke off with its connection is dropped (`truncated`).
    #[track_caller]
    pub fn http_lines_stream(&self, url: &str, options: HttpOptions) -> DStream<Text> {
        let operator = operator("http_lines_stream");
        match HttpReceiver::new(url, options, self.settings.line_limit_bytes) {
            Ok(receiver) => self.receiver_stream(&receiver.name(), receiver),
            Err(problem) => {
                self.graph.refuse(operator, problem);
                self.queue_stream().1
            }
        }
    }

    /// Lines of the files that are moved into a directory, one partition a file: see [`DirectoryOptions`] for which.
    #[track_caller]
    pub fn text_file_stream(&self, directory: impl AsRef<Path>) -> DStream<Text> {
        self.text_file_stream_with(directory, DirectoryOptions::default())
    }

    /// Lines of the files that are moved into a directory, one partition a file.
    ///
    /// A file must be moved in whole, within [`DirectoryOptions::remember`] of its modification; one that comes later is
    /// reported and counted (`too_old`), never read. Subdirectories are not looked into. The directory may be missing for a
    /// while: that is reported and counted (`listing_failures`), and batches are empty meanwhile. Files are read when the
    /// batch runs, again for each output; one that cannot be read fails its batch by name and is offered again at the next
    /// tick.
    #[track_caller]
    pub fn text_file_stream_with(&self, directory: impl AsRef<Path>, options: DirectoryOptions) -> DStream<Text> {
        let operator = operator("text_file_stream");
        let (directory, limit) = (directory.as_ref().to_owned(), self.settings.line_limit_bytes);
        let input = Arc::new(DirectoryInput::new(self.shared.clone(), directory, options, limit));
        self.graph.input(input.clone(), false);
        DStream::new(Arc::new(FileNode { input, operator }), self.graph.clone(), 1)
    }

    /// Records from a receiver, cut into batches by their arrival.
    pub fn receiver_stream<R: Family>(&self, name: &str, receiver: impl Receiver<R> + 'static) -> DStream<R> {
        self.received(name, receiver, false)
    }

    /// Records from a receiver that knows when each was meant to be sent, cut into batches by that time. A batch waits until
    /// the receiver's watermark has passed its end.
    pub fn planned_stream<R: Family>(&self, name: &str, receiver: impl Receiver<R> + 'static) -> DStream<R> {
        self.received(name, receiver, true)
    }

    /// Records that the program itself pushes; a batch takes all that was pushed before it was cut. Spark's `queueStream` with
    /// `oneAtATime = false`.
    pub fn queue_stream<R: Family>(&self) -> (QueueHandle<R>, DStream<R>) {
        let handle = QueueHandle::new(false);
        let stream = self.received("queue", QueueReceiver { handle: handle.clone() }, false);
        (handle, stream)
    }

    /// Records that the program itself pushes; a batch takes one push, an empty one too. Spark's `queueStream` as it is by
    /// default.
    pub fn queue_stream_one_at_a_time<R: Family>(&self) -> (QueueHandle<R>, DStream<R>) {
        self.one_at_a_time(None)
    }

    /// The same, where a batch that finds no push gets these records, in one partition: Spark's `defaultRDD`.
    pub fn queue_stream_one_at_a_time_or<'v, R: Family>(
        &self,
        default: impl IntoIterator<Item = R::View<'v>>,
    ) -> (QueueHandle<R>, DStream<R>) {
        self.one_at_a_time(Some(default_column::<R>(default)))
    }

    fn one_at_a_time<R: Family>(&self, default: Option<Arc<R::Column>>) -> (QueueHandle<R>, DStream<R>) {
        let handle = QueueHandle::new(true);
        let input = Arc::new(Input::<R>::new(self.shared.clone(), "queue".to_owned(), false, &self.settings));
        let one = OneAtATime { input: input.clone(), handle: handle.clone(), default };
        let receiver = QueueReceiver { handle: handle.clone() };
        (handle, self.supervised(input, Arc::new(one), receiver, false))
    }

    fn received<R: Family>(&self, name: &str, receiver: impl Receiver<R> + 'static, planned: bool) -> DStream<R> {
        let input = Arc::new(Input::<R>::new(self.shared.clone(), name.to_owned(), planned, &self.settings));
        self.supervised(input.clone(), input, receiver, planned)
    }

    /// The stream of an input; batches get what `given` allots them.
    fn supervised<R: Family>(
        &self,
        input: Arc<Input<R>>,
        given: Arc<dyn AnyInput>,
        receiver: impl Receiver<R> + 'static,
        planned: bool,
    ) -> DStream<R> {
        self.receivers.add(input.clone(), receiver, self.restart_delay());
        self.graph.input(given, planned);
        DStream::new(Arc::new(SourceNode { input }), self.graph.clone(), 1)
    }

    fn restart_delay(&self) -> Duration {
        Duration::from_nanos(self.settings.restart_delay_ns)
    }
}
