//! Turns: the processes of a gate's block run one at a time, a slice of their batches each, so that all of them meet the same host.
//!
//! The parent offers a seat for each process: a Unix socket with an abstract name. A process takes its seat, and then works only between
//! a byte that it got and the byte with which it gives the turn back. The end of a stream ends it: a process that ended has no
//! more turns, and one whose parent has ended gives up.

use crate::failure::Failure;
use std::io::{self, ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// Whatever is sent: only that it comes means something.
const TURN: u8 = b't';

/// How often a seat that nobody has taken yet is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// A process that works in turns.
#[derive(Debug)]
pub(crate) struct Turns {
    stream: UnixStream,
}

impl Turns {
    /// Takes the seat of this name, and waits for the first turn.
    ///
    /// # Errors
    /// Nobody offers it, or the parent ended (exit 70).
    pub(crate) fn join(seat: &str) -> Result<Self, Failure> {
        let joined = address(seat).and_then(|address| UnixStream::connect_addr(&address));
        let failed = |error: io::Error| Failure::internal(format!("cannot take the seat {seat}: {error}"));
        let turns = Turns { stream: joined.map_err(failed)? };
        turns.wait().map_err(failed)?;
        Ok(turns)
    }

    /// Gives the turn back, and waits for the next one.
    ///
    /// # Errors
    /// The parent ended.
    pub(crate) fn pass(&self) -> io::Result<()> {
        (&self.stream).write_all(&[TURN])?;
        self.wait()
    }

    fn wait(&self) -> io::Result<()> {
        (&self.stream).read_exact(&mut [0])
    }
}

/// A place for one process.
#[derive(Debug)]
pub(crate) struct Seat {
    listener: UnixListener,
}

impl Seat {
    /// Offers it.
    ///
    /// # Errors
    /// What the system said, for example that the name is taken.
    pub(crate) fn offer(name: &str) -> io::Result<Self> {
        let listener = UnixListener::bind_addr(&address(name)?)?;
        listener.set_nonblocking(true)?;
        Ok(Seat { listener })
    }

    /// Waits until a process takes it. `None` when `is_over` says that none will come any more.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn taken(&self, is_over: impl Fn() -> bool) -> io::Result<Option<Player>> {
        loop {
            let over = is_over();
            match self.listener.accept() {
                Ok((stream, _)) => return Player::of(stream).map(Some),
                Err(error) if error.kind() == ErrorKind::WouldBlock && over => return Ok(None),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(LOOK),
                Err(error) => return Err(error),
            }
        }
    }
}

/// A process on its seat.
#[derive(Debug)]
pub(crate) struct Player {
    stream: UnixStream,
}

impl Player {
    fn of(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        Ok(Player { stream })
    }

    /// Gives it a turn and waits until it gives it back. How long that took; `None` when it has ended, or keeps the turn for longer than
    /// `limit`.
    pub(crate) fn play(&mut self, limit: Duration) -> Option<Duration> {
        self.stream.set_read_timeout(Some(limit.max(LOOK))).ok()?;
        let begun = Instant::now();
        self.stream.write_all(&[TURN]).ok()?;
        self.stream.read_exact(&mut [0]).ok()?;
        Some(begun.elapsed())
    }
}

fn address(seat: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(seat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    const LONG: Duration = Duration::from_secs(20);

    fn name() -> String {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        format!("downbeat-test-{}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
    }

    #[test]
    fn one_works_at_a_time_and_whoever_has_ended_has_no_more_turns() {
        let said = std::sync::Mutex::new(String::new());
        let (first, second) = (name(), name());
        let seats = [Seat::offer(&first).unwrap(), Seat::offer(&second).unwrap()];
        std::thread::scope(|scope| {
            let work = |seat: String, letter: char, turns: usize| {
                let joined = Turns::join(&seat).unwrap();
                for turn in 0..turns {
                    said.lock().unwrap().push(letter);
                    if turn + 1 < turns {
                        joined.pass().unwrap();
                    }
                }
            };
            scope.spawn(move || work(first, 'a', 3));
            scope.spawn(move || work(second, 'b', 2));
            let mut players = seats.map(|seat| seat.taken(|| false).unwrap().unwrap());
            let played: Vec<bool> = (0..6).map(|turn| players[turn % 2].play(LONG).is_some()).collect();
            assert_eq!(played, [true, true, true, false, false, false]);
        });
        assert_eq!(said.into_inner().unwrap(), "ababa");
    }

    #[test]
    fn nobody_waits_for_ever() {
        let seat = Seat::offer(&name()).unwrap();
        assert!(seat.taken(|| true).unwrap().is_none(), "no process came");
        let held = name();
        let seat = Seat::offer(&held).unwrap();
        std::thread::scope(|scope| {
            let parent = scope.spawn(|| seat.taken(|| false).unwrap().unwrap());
            let child = UnixStream::connect_addr(&address(&held).unwrap()).unwrap();
            assert!(parent.join().unwrap().play(Duration::from_millis(5)).is_none(), "it keeps its turn");
            drop(child);
        });
        let gone = name();
        let seat = Seat::offer(&gone).unwrap();
        std::thread::scope(|scope| {
            let child = scope.spawn(|| Turns::join(&gone));
            drop(seat.taken(|| false).unwrap());
            assert!(child.join().unwrap().is_err(), "the parent has ended");
        });
        assert!(Turns::join(&name()).unwrap_err().message.contains("cannot take the seat"));
    }
}
