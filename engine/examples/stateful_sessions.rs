//! Sessions of users: how many actions each had, told when the user has been idle for three seconds, or says `bye`.
//!
//! `nc -lk 9999` in one terminal, `cargo run -p downbeat-engine --example stateful_sessions -- 127.0.0.1:9999` in another; type
//! lines of a user and an action, as in `ann look`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's own output")]

mod support;

use downbeat_engine::dstream::StateSpec;
use downbeat_engine::record::Text;
use downbeat_engine::{EngineError, Settings, StreamingContext};
use std::time::Duration;

fn main() -> Result<(), EngineError> {
    let ([address], time) = support::arguments("stateful_sessions HOST:PORT");
    let context = StreamingContext::new(Settings::default().interval(Duration::from_secs(1)))?;
    let actions = context.socket_text_stream(&address).map_to_pair::<Text, Text>(|line| {
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        (&line[..end], line[end..].trim_ascii())
    });
    let idle = StateSpec::new().timeout(Duration::from_secs(3));
    let ended = actions.map_with_state::<u64, Text>(idle, |_time, user, action, actions, out| {
        let before = actions.get().copied().unwrap_or(0);
        let ends = match action {
            None => Some("idle"),
            Some(b"bye") => {
                actions.remove();
                Some("left")
            }
            Some(_) => {
                actions.update(before + 1);
                None
            }
        };
        if let Some(why) = ends {
            out(format!("{} {why} after {before} actions", String::from_utf8_lossy(user)).as_bytes());
        }
    });
    ended.print(10);
    support::run(&context, time)
}
