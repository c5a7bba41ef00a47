//! A TCP connection that never keeps its thread from ending: connecting, reading and waiting all watch the receiver's wake.

use crate::clock::{Clock, Wake};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

const CHUNK_BYTES: usize = 64 << 10;
/// How long a read or write may keep the thread from seeing that it should stop.
const PATIENCE: Duration = Duration::from_millis(100);
const DIAL_PATIENCE: Duration = Duration::from_millis(20);
/// For each address of a name.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Why there is nothing more to read.
pub(super) enum End {
    /// The peer closed the connection.
    Closed,
    /// The receiver should stop.
    Stopped,
    /// No byte came for the idle time.
    Stalled,
    /// What the system says.
    Broke(String),
}

pub(super) struct Connection<'s> {
    stream: TcpStream,
    chunk: Vec<u8>,
    wake: &'s Wake,
    clock: &'s dyn Clock,
    idle: Option<Duration>,
}

impl<'s> Connection<'s> {
    /// Connects to `host:port`, the addresses of the name in turn. With `idle`, a read gives up when no byte came for so long.
    ///
    /// # Errors
    /// What the last address said, or that the name has none.
    pub(super) fn open(
        address: &str,
        idle: Option<Duration>,
        wake: &'s Wake,
        clock: &'s dyn Clock,
    ) -> Result<Self, String> {
        let stream = dial(address, wake)?;
        let patience = idle.map_or(PATIENCE, |idle| PATIENCE.min(idle / 4).max(Duration::from_millis(1)));
        let patient = stream.set_read_timeout(Some(patience)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        patient.map_err(|error| error.to_string())?;
        Ok(Connection { stream, chunk: vec![0; CHUNK_BYTES], wake, clock, idle })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).map_err(|error| error.to_string())
    }

    /// Some bytes, at least one. The idle time counts from this call, not from the last byte: between two calls the engine
    /// may have made the receiver wait.
    pub(super) fn read(&mut self) -> Result<&[u8], End> {
        let since_ns = self.clock.now_ns();
        loop {
            if self.wake.is_set() {
                return Err(End::Stopped);
            }
            match self.stream.read(&mut self.chunk) {
                Ok(0) => return Err(End::Closed),
                Ok(read) => return Ok(&self.chunk[..read]),
                Err(error) if is_passing(error.kind()) => {}
                Err(error) => return Err(End::Broke(error.to_string())),
            }
            let quiet = Duration::from_nanos(self.clock.now_ns().saturating_sub(since_ns));
            if self.idle.is_some_and(|idle| quiet >= idle) {
                return Err(End::Stalled);
            }
        }
    }
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Resolves and connects on a thread of its own, because neither can be interrupted: a stop leaves that thread behind, which
/// holds nothing of ours and ends with its time-outs.
fn dial(address: &str, wake: &Wake) -> Result<TcpStream, String> {
    let (sender, receiver) = channel();
    let owned = address.to_owned();
    // When nobody waits any more, the connection is dropped, which closes it.
    let body = move || drop(sender.send(connect(&owned)));
    let thread = std::thread::Builder::new().name("db-dial".into()).spawn(body);
    thread.map_err(|error| format!("no thread to connect on: {error}"))?;
    loop {
        match receiver.recv_timeout(DIAL_PATIENCE) {
            Ok(connected) => return connected,
            Err(RecvTimeoutError::Disconnected) => return Err("the thread that connects has gone".into()),
            Err(RecvTimeoutError::Timeout) if wake.is_set() => return Err("stopped".into()),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn connect(address: &str) -> Result<TcpStream, String> {
    let addresses = address.to_socket_addrs().map_err(|error| error.to_string())?;
    let mut problem = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => problem = error.to_string(),
        }
    }
    Err(problem)
}
