//! Several children that take turns: what is compared meets the same host, however its speed changes.

use super::embedded::{self, Files, Program};
use crate::failure::Failure;
use crate::plan::TrialSpec;
use crate::progress::Progress;
use crate::signals::Signals;
use crate::turns::{Player, Seat};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One of them.
pub(crate) struct Child {
    /// What is started.
    pub(crate) program: Program,
    /// What it is to do. Its seat is given to it here.
    pub(crate) spec: TrialSpec,
    /// Where it finds that and leaves what it has to say.
    pub(crate) files: Files,
}

/// Starts the children and gives turns until all of them have ended, in rounds. After each turn it is said whose it was and how long
/// it took; `None` where the child has ended or kept its turn for longer than `limit`. How each of them ended, as
/// [`embedded::run_program`] says it.
///
/// # Errors
/// The system has no sockets (exit 7).
pub(crate) fn run(
    mut children: Vec<Child>,
    signals: &Signals,
    limit: Duration,
    after_turn: impl FnMut(usize, Option<Duration>),
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let refused = |error: std::io::Error| Failure::environment(format!("cannot offer a process its turns: {error}"));
    let mut seats = Vec::new();
    for child in &mut children {
        let name = seat_name();
        seats.push(Seat::offer(&name).map_err(refused)?);
        child.spec.seat = Some(name);
    }
    Ok(std::thread::scope(|scope| {
        let mut watched = Vec::new();
        for Child { program, spec, files } in &children {
            // Progress of one child among others says nothing.
            let watch = move || embedded::run_program(program, spec, files, signals, &mut Progress::new(true, 0));
            watched.push(scope.spawn(watch));
        }
        let taken = seats.iter().zip(&watched);
        let players = taken.map(|(seat, watched)| seat.taken(|| watched.is_finished()).ok().flatten());
        give_turns(players.collect(), limit, after_turn);
        let died = || Err(Failure::internal("the thread that watches a process panicked"));
        watched.into_iter().map(|watched| watched.join().unwrap_or_else(|_| died())).collect()
    }))
}

fn seat_name() -> String {
    static OFFERED: AtomicU64 = AtomicU64::new(0);
    format!("downbeat-{}-{}", std::process::id(), OFFERED.fetch_add(1, Ordering::Relaxed))
}

fn give_turns(mut players: Vec<Option<Player>>, limit: Duration, mut after_turn: impl FnMut(usize, Option<Duration>)) {
    let mut order: Vec<usize> = (0..players.len()).collect();
    while players.iter().any(Option::is_some) {
        for at in &order {
            let Some(player) = &mut players[*at] else { continue };
            let played = player.play(limit);
            if played.is_none() {
                players[*at] = None;
            }
            after_turn(*at, played);
        }
        next_round(&mut order);
    }
}

/// Who was first is last. Nobody has two turns in a row, after which it would find its own caches where the others find a stranger's: of
/// three that go forwards and backwards the one in the middle is slower by 4 %. Two keep their order for that.
fn next_round(order: &mut [usize]) {
    if order.len() > 2 {
        order.rotate_left(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_two_turns_in_a_row_and_three_are_as_often_in_each_place() {
        for players in 2..=4 {
            let mut order: Vec<usize> = (0..players).collect();
            let mut turns = Vec::new();
            for _ in 0..12 {
                turns.extend_from_slice(&order);
                next_round(&mut order);
            }
            assert!(turns.windows(2).all(|two| two[0] != two[1]), "{turns:?}");
            let middle: Vec<usize> = turns.chunks(players).map(|round| round[1]).collect();
            let often = |player: usize| middle.iter().filter(|other| **other == player).count();
            assert!(players == 2 || (0..players).all(|player| often(player) == 12 / players), "{middle:?}");
        }
    }
}
