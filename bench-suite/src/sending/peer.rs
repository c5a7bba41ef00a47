//! The reader at the other end of the connection: what it takes, how long it lets us wait, when it has gone.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long a write may keep the thread from seeing that it should stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long the reader may take, after the last byte, to read what is on the way and close.
pub(super) const FAREWELL_S: u64 = 10;

/// A connected reader. Between calls its socket does not block.
pub(super) struct Peer {
    stream: TcpStream,
}

/// What became of some bytes.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// So many of them were handed to the system.
    pub(super) bytes: usize,
    /// How long there was no room for them.
    pub(super) blocked_ns: u64,
    /// Why no more can be sent.
    pub(super) gone: Option<String>,
}

impl Peer {
    /// # Errors
    /// What the system says.
    pub(super) fn new(stream: TcpStream) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nonblocking(true)?;
        Ok(Peer { stream })
    }

    /// Writes all bytes, waiting for room if there is none, until it is told to stop.
    pub(super) fn write(&mut self, bytes: &[u8], is_stopped: impl Fn() -> bool) -> Written {
        let (mut written, mut blocked_since) = (Written::default(), None);
        while written.bytes < bytes.len() && written.gone.is_none() {
            match self.stream.write(&bytes[written.bytes..]) {
                Ok(0) => written.gone = Some("it takes nothing more".to_owned()),
                Ok(more) => written.bytes += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_passing(error.kind()) => {
                    if is_stopped() {
                        break;
                    }
                    if blocked_since.is_none() {
                        blocked_since = Some(Instant::now());
                        // From here on the system waits for room, up to the write's time-out.
                        written.gone = self.stream.set_nonblocking(false).err().map(|error| error.to_string());
                    }
                }
                Err(error) => written.gone = Some(error.to_string()),
            }
        }
        if let Some(since) = blocked_since {
            written.blocked_ns = since.elapsed().as_nanos() as u64;
            let restored = self.stream.set_nonblocking(true).err().map(|error| error.to_string());
            written.gone = written.gone.or(restored);
        }
        written
    }

    /// Why the reader has gone, if it has. What it says is not for us and is dropped.
    pub(super) fn has_left(&mut self) -> Option<String> {
        let mut said = [0; 256];
        match self.stream.read(&mut said) {
            Ok(0) => Some("it closed the connection".to_owned()),
            Ok(_) => None,
            Err(error) if is_passing(error.kind()) || error.kind() == ErrorKind::Interrupted => None,
            Err(error) => Some(error.to_string()),
        }
    }

    /// Says that no more will come and waits until the reader closes too. True when it did so in order, which it does after it
    /// has read everything.
    pub(super) fn part(mut self, is_stopped: impl Fn() -> bool) -> bool {
        if self.stream.shutdown(Shutdown::Write).is_err() {
            return false;
        }
        let (begin, mut said) = (Instant::now(), [0; 256]);
        while begin.elapsed() < Duration::from_secs(FAREWELL_S) && !is_stopped() {
            match self.stream.read(&mut said) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_passing(error.kind()) => std::thread::sleep(Duration::from_millis(1)),
                Err(_) => return false,
            }
        }
        false
    }
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
