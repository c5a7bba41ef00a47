//! Which settings are worth a confirmation against today's.

use super::Task;
use super::rank::Ranking;
use crate::search::duel::WORTH;
use crate::search::goal::Aim;
use crate::search::grid::Cell;

/// The settings that promise most, at most so many; for the least threads, the best setting of each number of threads that may hold the
/// rate, the fewest threads first.
pub(super) fn candidates(task: &Task<'_>, ranking: &Ranking<'_>, most: usize) -> Vec<Cell> {
    match task.goal.aim {
        Aim::MinThreads { rate_per_s } => of_each_number_of_threads(task, ranking, rate_per_s, most),
        Aim::MaxRate | Aim::MinLatency { .. } => most_promising(task, ranking, most),
    }
}

/// The best beliefs, each as it is and without the changes that may well bring nothing.
fn most_promising(task: &Task<'_>, ranking: &Ranking<'_>, most: usize) -> Vec<Cell> {
    let today = task.grid.base_cell();
    let believed_today = today.as_ref().and_then(|cell| ranking.belief(cell));
    let mut chosen: Vec<Cell> = Vec::new();
    for cell in ranking.by_belief() {
        for simple in [ranking.without_negligible_changes(&cell), ranking.without_doubtful_changes(&cell)] {
            let promise =
                ranking.belief(&simple).zip(believed_today).map_or(f64::MAX, |(belief, today)| belief - today);
            // What promises next to nothing takes time from what promises more; one is tried in any case.
            let is_wanted = chosen.is_empty() || promise >= WORTH;
            if is_wanted && !chosen.contains(&simple) && Some(&simple) != today.as_ref() {
                chosen.push(simple);
            }
            if chosen.len() == most {
                return chosen;
            }
        }
    }
    if chosen.is_empty() {
        chosen.extend(ranking.by_belief().into_iter().find(|cell| Some(cell) != today.as_ref()));
    }
    chosen
}

fn of_each_number_of_threads(task: &Task<'_>, ranking: &Ranking<'_>, rate_per_s: f64, most: usize) -> Vec<Cell> {
    let today = task.grid.base_cell();
    let threads = |cell: &Cell| task.grid.settings(cell).engine.effective_threads();
    let mut chosen: Vec<Cell> = Vec::new();
    for cell in ranking.by_belief() {
        let simple = ranking.without_negligible_changes(&cell);
        let interval_ns = task.grid.settings(&simple).engine.interval_ns;
        let can_hold = ranking.model(&simple).is_none_or(|model| {
            model.rate_per_s(interval_ns as f64, task.goal.share_of_interval(interval_ns)) >= 0.8 * rate_per_s
        });
        let is_new = Some(&simple) != today.as_ref() && chosen.iter().all(|other| threads(other) != threads(&simple));
        if can_hold && is_new {
            chosen.push(simple);
        }
    }
    chosen.sort_by_key(threads);
    chosen.truncate(most);
    chosen
}
