//! The exit codes of the whole command: one enum, each with its name and meaning.

/// How a command ended. The numbers are a contract: scripts, CI and `git bisect run` read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or the gate passes.
    Ok,
    /// The gate found a regression.
    Regressed,
    /// The command line or a file of settings is wrong.
    Usage,
    /// The run says nothing: the generator was late or the clock jumped.
    Invalid,
    /// There was nothing to do or nothing was checked.
    NothingChecked,
    /// Lost, doubled or wrong output.
    Broken,
    /// The load was too high, and the command asked that it must hold.
    FallsBehind,
    /// The surroundings failed: disk, rights, ports, input.
    Environment,
    /// The budget was spent before a confirmed result.
    BudgetSpent,
    /// A bug of downbeat itself.
    Internal,
    /// Too noisy or too few samples to judge.
    NotJudged,
    /// Interrupted (SIGINT); what was measured is saved.
    Interrupted,
    /// Terminated (SIGTERM); what was measured is saved.
    Terminated,
}

impl Exit {
    /// All of them, by ascending code.
    pub const ALL: [Exit; 13] = [
        Exit::Ok,
        Exit::Regressed,
        Exit::Usage,
        Exit::Invalid,
        Exit::NothingChecked,
        Exit::Broken,
        Exit::FallsBehind,
        Exit::Environment,
        Exit::BudgetSpent,
        Exit::Internal,
        Exit::NotJudged,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Regressed => 1,
            Exit::Usage => 2,
            Exit::Invalid => 3,
            Exit::NothingChecked => 4,
            Exit::Broken => 5,
            Exit::FallsBehind => 6,
            Exit::Environment => 7,
            Exit::BudgetSpent => 12,
            Exit::Internal => 70,
            Exit::NotJudged => 125,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// The name beside the code in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Regressed => "regressed",
            Exit::Usage => "usage",
            Exit::Invalid => "invalid",
            Exit::NothingChecked => "nothing-checked",
            Exit::Broken => "broken",
            Exit::FallsBehind => "falls-behind",
            Exit::Environment => "environment",
            Exit::BudgetSpent => "budget-spent",
            Exit::Internal => "internal",
            Exit::NotJudged => "not-judged",
            Exit::Interrupted => "interrupted",
            Exit::Terminated => "terminated",
        }
    }

    /// One line for `--help`.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Ok => "done, or the gate passes",
            Exit::Regressed => "the gate found a regression",
            Exit::Usage => "usage or settings error",
            Exit::Invalid => "run INVALID: generator late or clock jumped",
            Exit::NothingChecked => "nothing to do, or nothing was checked",
            Exit::Broken => "BROKEN: lost, doubled or wrong output, or a failed batch",
            Exit::FallsBehind => "FALLS BEHIND, only with --must-hold",
            Exit::Environment => "environment: disk full, permission, port in use, input unreadable",
            Exit::BudgetSpent => "budget spent before a confirmed result (resumable)",
            Exit::Internal => "internal error: a bug, the message says where the evidence is",
            Exit::NotJudged => "NOT JUDGED: noise, too few samples, budget too small",
            Exit::Interrupted => "interrupted, saved",
            Exit::Terminated => "terminated, saved",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_names_are_unique_kebab_case() {
        for pair in Exit::ALL.windows(2) {
            assert!(pair[0].code() < pair[1].code());
        }
        for exit in Exit::ALL {
            let twins = Exit::ALL.iter().filter(|other| other.name() == exit.name());
            assert_eq!(twins.count(), 1, "{exit:?}");
            assert!(exit.name().chars().all(|c| c.is_ascii_lowercase() || c == '-'));
            assert!(!exit.meaning().is_empty());
        }
    }

    #[test]
    fn codes_are_the_documented_ones() {
        let codes = Exit::ALL.map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 12, 70, 125, 130, 143]);
    }
}
