//! Lines from a long-lived HTTP response, as tweet streams send them: we connect, and connect again with growing pauses.

mod backoff;
mod body;
mod head;
mod options;
mod url;

pub use backoff::Backoff;
pub use options::HttpOptions;

use super::feed::LineFeed;
use super::tcp::{Connection, End};
use super::{LineSplitter, Receiver, Stopped, Store};
use crate::error::EngineError;
use crate::record::Text;
use backoff::{Pauses, Trouble};
use body::Flaw;
use head::{HEAD_BYTES, Head};
use std::time::Duration;
use url::Url;

/// Bytes of the body of a refusal that are read for the message, and how long that may take.
const EXCERPT_BYTES: usize = 1 << 10;
const EXCERPT_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct HttpReceiver {
    url: Url,
    options: HttpOptions,
    line_limit_bytes: usize,
}

/// Why a connection is over.
struct Over {
    trouble: Trouble,
    message: String,
}

/// Nothing to tell: the receiver was stopped.
type Ended = Result<Over, Stopped>;

impl HttpReceiver {
    /// # Errors
    /// What is wrong with the URL or the options.
    pub(crate) fn new(url: &str, options: HttpOptions, line_limit_bytes: usize) -> Result<Self, String> {
        options.check()?;
        Ok(HttpReceiver { url: Url::parse(url)?, options, line_limit_bytes })
    }

    /// The stream's name.
    pub(crate) fn name(&self) -> String {
        self.url.shown()
    }
}

impl Receiver<Text> for HttpReceiver {
    fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
        let peer = self.clone();
        store.clone().spawn("db-http", move || peer.receive(&store))
    }

    fn on_stop(&mut self) {}
}

impl HttpReceiver {
    fn receive(&self, store: &Store<Text>) {
        let mut pauses = Pauses::new(self.options.backoff);
        while !store.is_stopped() {
            let Ok(Over { trouble, message }) = self.connect(store, &mut pauses) else { return };
            let pause = pauses.after(trouble);
            store.report(format!("{message}; connecting again in {pause:?}"));
            store.wake().sleep(pause);
        }
    }

    /// One connection, until it is over.
    fn connect(&self, store: &Store<Text>, pauses: &mut Pauses) -> Ended {
        let idle = Some(self.options.idle_timeout);
        let opened = Connection::open(&self.url.address, idle, store.wake(), &**store.clock());
        let opened = opened.and_then(|mut connection| {
            connection.send(self.options.request(&self.url).as_bytes()).map(|()| connection)
        });
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(_) if store.is_stopped() => return Err(Stopped),
            Err(problem) => return over(Trouble::Network, format!("cannot connect: {problem}")),
        };
        match read_head(&mut connection) {
            Ok((head, rest)) if head.status == 200 => {
                store.report("connected".into());
                store.count_input("connections", 1);
                self.read_body(&mut connection, head, &rest, store, pauses)
            }
            Ok((head, rest)) => {
                store.count_input("http_errors", 1);
                self.refused(&mut connection, head, &rest, store)
            }
            Err(NoHead::Ended(End::Stopped)) => Err(Stopped),
            Err(NoHead::Ended(End::Stalled)) => Ok(self.stalled(store)),
            Err(NoHead::Ended(end)) => over(Trouble::Network, format!("{} before it answered", said(&end))),
            Err(NoHead::Malformed(problem)) => {
                store.count_input("malformed", 1);
                over(Trouble::Http, self.options.shown(problem.as_bytes()))
            }
        }
    }

    fn read_body(
        &self,
        connection: &mut Connection<'_>,
        mut head: Head,
        rest: &[u8],
        store: &Store<Text>,
        pauses: &mut Pauses,
    ) -> Ended {
        let mut lines = LineFeed::new(LineSplitter::new(self.line_limit_bytes).without_keep_alives(), store);
        let mut fed = head.body.feed(rest, &mut |payload| {
            pauses.reset();
            lines.take(payload)
        });
        loop {
            match fed {
                Ok(false) => {}
                Ok(true) => {
                    lines.end()?;
                    return over(Trouble::Network, "the response has ended".into());
                }
                Err(Flaw::Taker(stopped)) => return Err(stopped),
                Err(Flaw::Framing(problem)) => {
                    lines.break_off();
                    store.count_input("malformed", 1);
                    return over(Trouble::Network, format!("the framing of the body is broken: {problem}"));
                }
            }
            let bytes = match connection.read() {
                Ok(bytes) => bytes,
                Err(End::Closed) if head.body.ends_at_close() => {
                    lines.end()?;
                    return over(Trouble::Network, "the response has ended".into());
                }
                Err(End::Stopped) => return Err(Stopped),
                Err(End::Stalled) => {
                    lines.break_off();
                    return Ok(self.stalled(store));
                }
                Err(end) => {
                    lines.break_off();
                    return over(Trouble::Network, format!("{} within the response", said(&end)));
                }
            };
            fed = head.body.feed(bytes, &mut |payload| {
                pauses.reset();
                lines.take(payload)
            });
        }
    }

    fn stalled(&self, store: &Store<Text>) -> Over {
        store.count_input("stalls", 1);
        let message = format!("no byte came for {:?}, so the connection has stalled", self.options.idle_timeout);
        Over { trouble: Trouble::Network, message }
    }

    /// Says what the server said, the first line of its body included.
    fn refused(&self, connection: &mut Connection<'_>, mut head: Head, rest: &[u8], store: &Store<Text>) -> Ended {
        let deadline_ns = store.clock().now_ns() + EXCERPT_PATIENCE.as_nanos() as u64;
        let mut excerpt = Vec::new();
        let mut take = |payload: &[u8]| {
            excerpt.extend_from_slice(&payload[..payload.len().min(EXCERPT_BYTES - excerpt.len())]);
            if excerpt.len() == EXCERPT_BYTES || excerpt.trim_ascii_start().contains(&b'\n') { Err(()) } else { Ok(()) }
        };
        let mut fed = head.body.feed(rest, &mut take);
        while matches!(fed, Ok(false)) && store.clock().now_ns() < deadline_ns {
            match connection.read() {
                Ok(bytes) => fed = head.body.feed(bytes, &mut take),
                Err(End::Stopped) => return Err(Stopped),
                Err(_) => break,
            }
        }
        let status = head.status;
        let reason = self.options.shown(head.reason.as_bytes());
        let line = excerpt.trim_ascii_start().split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let said = match self.options.shown(line) {
            line if line.is_empty() => String::new(),
            line => format!(": {line}"),
        };
        let trouble = if matches!(status, 420 | 429) { Trouble::RateLimited } else { Trouble::Http };
        over(trouble, format!("the server answered {status} {reason}{said}{}", advice(status)))
    }
}

fn over(trouble: Trouble, message: String) -> Ended {
    Ok(Over { trouble, message })
}

fn said(end: &End) -> String {
    match end {
        End::Broke(problem) => format!("the connection broke ({problem})"),
        End::Closed | End::Stopped | End::Stalled => "the peer closed the connection".into(),
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => " (is the bearer token right, and may it read this?)",
        420 | 429 => " (too many connections: is another program using this token?)",
        300..=399 => " (redirections are not followed: give the URL they lead to)",
        _ => "",
    }
}

enum NoHead {
    Ended(End),
    Malformed(String),
}

/// The head of the response, and what came after it in the same read.
fn read_head(connection: &mut Connection<'_>) -> Result<(Head, Vec<u8>), NoHead> {
    let mut bytes = Vec::new();
    let mut interim_bytes = 0;
    loop {
        bytes.extend_from_slice(connection.read().map_err(NoHead::Ended)?);
        while let Some((head, length)) = head::parse(&bytes).map_err(NoHead::Malformed)? {
            bytes.drain(..length);
            if !matches!(head.status, 100..200) {
                return Ok((head, bytes));
            }
            interim_bytes += length;
        }
        if interim_bytes + bytes.len() > HEAD_BYTES {
            return Err(NoHead::Malformed(format!("the head of the answer has more than {HEAD_BYTES} bytes")));
        }
    }
}
