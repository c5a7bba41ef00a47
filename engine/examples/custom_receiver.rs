//! A receiver of one's own: log lines in UDP datagrams, counted by their first word (the level) every second.
//!
//! `cargo run -p downbeat-engine --example custom_receiver -- 127.0.0.1:5140`, then `echo 'WARN disk is full' | nc -u -w0 127.0.0.1 5140`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's own output")]

mod support;

use downbeat_engine::record::Text;
use downbeat_engine::source::{Receiver, Store};
use downbeat_engine::{EngineError, Settings, StreamingContext};
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

/// Receives datagrams; each line of one is a record. Datagrams that come while none listens are lost: UDP is like that.
struct Datagrams {
    address: String,
}

impl Receiver<Text> for Datagrams {
    fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
        let (address, receiving) = (self.address.clone(), store.clone());
        // A panic or an error in this thread does not end the job: the receiver is started again after a pause.
        store.spawn("datagrams", move || {
            if let Err(error) = receive(&address, &receiving) {
                receiving.restart(format!("cannot receive on {address}: {error}"));
            }
        })
    }

    // The thread sees that the store has stopped and ends; the engine waits for it.
    fn on_stop(&mut self) {}
}

fn receive(address: &str, store: &Store<Text>) -> std::io::Result<()> {
    let socket = UdpSocket::bind(address)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    store.report(format!("listening on {}", socket.local_addr()?));
    let mut datagram = vec![0; 64 << 10];
    while !store.is_stopped() {
        let length = match socket.recv(&mut datagram) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(error) => return Err(error),
        };
        for line in datagram[..length].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if store.store(line).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn main() -> Result<(), EngineError> {
    let ([address], time) = support::arguments("custom_receiver HOST:PORT");
    let context = StreamingContext::new(Settings::default().interval(Duration::from_secs(1)))?;
    let lines = context.receiver_stream("datagrams", Datagrams { address });
    let level = |line: &[u8]| line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    lines.map_to_pair::<Text, u64>(move |line| (&line[..level(line)], 1)).reduce_by_key(|a, b| a + b).print(10);
    support::run(&context, time)
}
