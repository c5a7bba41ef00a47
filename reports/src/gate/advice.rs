//! What to do about a gate that is not green: one sentence for each reason, the same in every format.

use super::judgement::{Judgement, Kind, Mark};

/// What to do next, without a full stop. `None` when it passes.
pub fn next(judgement: &Judgement) -> Option<&'static str> {
    let kind = judgement.because.first()?.kind;
    let mut red = judgement.metrics.iter().filter(|judged| judged.mark == Mark::Regressed).peekable();
    let is_layout = kind == Kind::Slower && red.peek().is_some() && red.all(|judged| judged.layout_suspect);
    Some(if is_layout { LAYOUT } else { of(kind) })
}

/// The head does no more than the base, and takes longer.
const LAYOUT: &str = "it runs as many instructions as the base: before the change itself suspect where the linker put the code; downbeat bisect finds the commit";

fn of(kind: Kind) -> &'static str {
    match kind {
        Kind::Slower => "downbeat bisect finds the commit that made it slower",
        Kind::AllocatesMore => {
            "counts have no noise, so running it again changes nothing: look at what the head allocates for each record"
        }
        Kind::WrongAnswers => {
            "see which answer is right before any time: downbeat run WORKLOAD with both builds checks it"
        }
        Kind::HeadFails | Kind::HeadFailedOnce => "run the head by itself: downbeat run WORKLOAD shows how it fails",
        Kind::BaseFails => "give a --base that runs on this host; nothing was said about the head",
        Kind::LimitInside | Kind::NotConfirmed => {
            "run it again, best on a quieter host or with larger --batches; downbeat gate --self-test shows what this host can tell"
        }
        Kind::TooManyDropped | Kind::OneSidedDrops | Kind::NullControl | Kind::Moved => {
            "this host was too uneven, and the head is not to blame: run it again; downbeat doctor and downbeat gate --self-test look at the host"
        }
        Kind::CutShort | Kind::Unfinished => {
            "run it again and let it come to its end: with a larger --budget if it had one, or with fewer --workloads"
        }
        Kind::Unmeasured => "name --workloads that both builds have, so that what passes is what was measured",
        Kind::NothingCompared => "name --workloads that both builds have: a gate that checks nothing must not pass",
        Kind::MissingMetric | Kind::Uncounted | Kind::AnswersUnknown | Kind::Inconsistent | Kind::Incompatible => {
            "give builds that speak this gate's protocol, and run it again: what is missing is never taken for a pass"
        }
    }
}
