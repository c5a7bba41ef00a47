//! Lines of text from TCP peers, as Spark's socketTextStream reads them: we connect, and connect again when the peer goes.

use super::feed::LineFeed;
use super::tcp::{Connection, End};
use super::{LineSplitter, Receiver, Store};
use crate::error::EngineError;
use crate::record::Text;
use std::time::Duration;

#[derive(Clone)]
pub(crate) struct SocketReceiver {
    addresses: Vec<String>,
    line_limit_bytes: usize,
    restart_delay: Duration,
}

impl SocketReceiver {
    pub(crate) fn new(addresses: Vec<String>, line_limit_bytes: usize, restart_delay: Duration) -> Self {
        SocketReceiver { addresses, line_limit_bytes, restart_delay }
    }
}

impl Receiver<Text> for SocketReceiver {
    fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
        for address in self.addresses.clone() {
            let (peer, its_store) = (self.clone(), store.clone());
            store.spawn("db-socket", move || peer.receive(&address, &its_store))?;
        }
        Ok(())
    }

    fn on_stop(&mut self) {}
}

impl SocketReceiver {
    fn receive(&self, address: &str, store: &Store<Text>) {
        let delay = self.restart_delay;
        while !store.is_stopped() {
            let trouble = match Connection::open(address, None, store.wake(), &**store.clock()) {
                Ok(connection) => {
                    store.report(format!("connected to {address}"));
                    store.count_input("connections", 1);
                    self.read_lines(connection, store).map(|end| format!("{end}; connecting again in {delay:?}"))
                }
                Err(problem) => Some(format!(
                    "cannot connect to {address}: {problem}; trying again in {delay:?} (is a server listening there? `nc -lk PORT` makes one)"
                )),
            };
            if let Some(trouble) = trouble
                && !store.is_stopped()
            {
                store.report(trouble);
            }
            store.wake().sleep(delay);
        }
    }

    /// Reads until the peer goes, which it says, or the receiver is stopped.
    fn read_lines(&self, mut connection: Connection<'_>, store: &Store<Text>) -> Option<String> {
        let mut lines = LineFeed::new(LineSplitter::new(self.line_limit_bytes), store);
        let end = loop {
            match connection.read() {
                Ok(bytes) => lines.take(bytes).ok()?,
                Err(End::Stopped) => return None,
                Err(End::Broke(problem)) => break format!("the connection broke: {problem}"),
                Err(End::Closed | End::Stalled) => break "the peer closed the connection".to_owned(),
            }
        };
        lines.end().ok()?;
        Some(end)
    }
}
