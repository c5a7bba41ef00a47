//! Lines of text from a TCP peer, as Spark's socketTextStream reads them: we connect, and connect again when the peer goes.

use super::{LineCounts, LineSplitter, Receiver, Store};
use crate::error::EngineError;
use crate::record::{Text, TextColumn};
use std::io::{ErrorKind, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread::JoinHandle;
use std::time::Duration;

const CHUNK_BYTES: usize = 64 << 10;
/// How long a read or connect may keep the thread from seeing that it should stop.
const PATIENCE: Duration = Duration::from_millis(100);
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct SocketReceiver {
    address: String,
    line_limit_bytes: usize,
    restart_delay: Duration,
    thread: Option<JoinHandle<()>>,
}

impl SocketReceiver {
    pub(crate) fn new(address: String, line_limit_bytes: usize, restart_delay: Duration) -> Self {
        SocketReceiver { address, line_limit_bytes, restart_delay, thread: None }
    }
}

impl Receiver<Text> for SocketReceiver {
    fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
        let (address, limit, delay) = (self.address.clone(), self.line_limit_bytes, self.restart_delay);
        let body = move || receive(&address, limit, delay, &store);
        let thread = std::thread::Builder::new().name("db-socket".into()).spawn(body);
        self.thread = Some(
            thread.map_err(|error| EngineError::Thread { thread: "db-socket".into(), problem: error.to_string() })?,
        );
        Ok(())
    }

    fn on_stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by then; there is nothing left to do about it.
            drop(thread.join());
        }
    }
}

fn receive(address: &str, limit: usize, delay: Duration, store: &Store<Text>) {
    while !store.is_stopped() {
        match connect(address, store) {
            Ok(stream) => {
                store.report(format!("connected to {address}"));
                store.count_input("connections", 1);
                let end = read_lines(stream, limit, store);
                if !store.is_stopped() {
                    store.report(format!("{end}; connecting again in {delay:?}"));
                }
            }
            Err(problem) => store.report(format!(
                "cannot connect to {address}: {problem}; trying again in {delay:?} (is a server listening there? `nc -lk PORT` makes one)"
            )),
        }
        store.wake().sleep(delay);
    }
}

fn connect(address: &str, store: &Store<Text>) -> Result<TcpStream, String> {
    let addresses = address.to_socket_addrs().map_err(|error| error.to_string())?;
    let mut problem = "the name has no address".to_owned();
    for address in addresses.take_while(|_| !store.is_stopped()) {
        match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
            Ok(stream) => {
                return stream.set_read_timeout(Some(PATIENCE)).map(|()| stream).map_err(|error| error.to_string());
            }
            Err(error) => problem = error.to_string(),
        }
    }
    Err(problem)
}

/// Reads until the peer goes or the context stops; says why it ended.
fn read_lines(mut stream: TcpStream, limit: usize, store: &Store<Text>) -> String {
    let mut splitter = LineSplitter::new(limit);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut counted = LineCounts::default();
    let end = loop {
        if store.is_stopped() {
            return "stopped".into();
        }
        let read = match stream.read(&mut chunk) {
            Ok(0) => break "the peer closed the connection".to_owned(),
            Ok(read) => read,
            Err(error) if is_passing(error.kind()) => continue,
            Err(error) => break format!("the connection broke: {error}"),
        };
        let mut lines = TextColumn::default();
        splitter.feed(&chunk[..read], &mut lines);
        count_new(splitter.counts(), &mut counted, store);
        if store.store_column(lines).is_err() {
            return "stopped".into();
        }
    };
    let mut last = TextColumn::default();
    splitter.end(&mut last);
    count_new(splitter.counts(), &mut counted, store);
    match store.store_column(last) {
        Ok(()) => end,
        Err(_) => "stopped".into(),
    }
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn count_new(counts: &LineCounts, counted: &mut LineCounts, store: &Store<Text>) {
    for ((kind, now), (_, before)) in counts.iter().zip(counted.iter()) {
        if now > before {
            store.count_input(kind, now - before);
        }
    }
    *counted = *counts;
}
