//! What others did to this machine meanwhile: counters of the kernel, read before and after.

use procfs::{CpuTime, Current, CurrentSI};
use std::path::{Path, PathBuf};

const NS_PER_US: u64 = 1_000;

/// Counters at one moment. `None` where the host does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// CPU time that the hypervisor gave to others, nanoseconds for each of the cores.
    pub(crate) steal_ns: Option<u64>,
    /// Time for which this process's control groups were throttled, nanoseconds.
    pub(crate) throttled_ns: Option<u64>,
    /// Time in which some task waited for a core, nanoseconds (PSI).
    pub(crate) pressure_ns: Option<u64>,
    /// CPU time of all processes, nanoseconds for each of the cores.
    all_ns: Option<u64>,
    /// CPU time of those children of this process that have ended, which ran on these cores, nanoseconds for each of them.
    children_ns: Option<u64>,
}

impl Counters {
    /// Reads them for these cores, of which there is at least one that the kernel knows.
    pub(crate) fn read(cores: &[usize]) -> Self {
        let tick_ns = 1_000_000_000 / procfs::ticks_per_second().max(1);
        let stats = procfs::KernelStats::current().ok();
        let of_cores: Option<Vec<&CpuTime>> =
            stats.as_ref().map(|stats| cores.iter().filter_map(|core| stats.cpu_time.get(*core)).collect());
        let a_core = |ticks: u64| (ticks * tick_ns).checked_div(cores.len() as u64);
        let sum = |ticks: fn(&CpuTime) -> Option<u64>| {
            a_core(of_cores.as_ref()?.iter().map(|core| ticks(core)).sum::<Option<u64>>()?)
        };
        let own = procfs::process::Process::myself().and_then(|process| process.stat()).ok();
        let ended = |ticks: i64| u64::try_from(ticks).unwrap_or(0);
        Counters {
            steal_ns: sum(|core| core.steal),
            throttled_ns: throttled_ns(),
            pressure_ns: procfs::CpuPressure::current().ok().map(|pressure| pressure.some.total * NS_PER_US),
            all_ns: sum(|core| Some(core.user + core.nice + core.system)),
            children_ns: own.and_then(|own| a_core(ended(own.cutime) + ended(own.cstime))),
        }
    }

    /// What was added since an earlier reading.
    pub(crate) fn since(&self, before: &Counters) -> Self {
        let grown = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        Counters {
            steal_ns: grown(self.steal_ns, before.steal_ns),
            throttled_ns: grown(self.throttled_ns, before.throttled_ns),
            pressure_ns: grown(self.pressure_ns, before.pressure_ns),
            all_ns: grown(self.all_ns, before.all_ns),
            children_ns: grown(self.children_ns, before.children_ns),
        }
    }

    /// CPU time of processes that are no children of this one, nanoseconds for each of the cores. Children must have ended: a process's
    /// time comes to its parent then.
    pub(crate) fn foreign_ns(&self) -> Option<u64> {
        Some(self.all_ns?.saturating_sub(self.children_ns?))
    }
}

/// Throttled time of the control group and of those above it. `None` where no group has a limit that could throttle.
fn throttled_ns() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut throttled = None;
    for directory in group_directories(&groups, "cpu") {
        let stat = std::fs::read_to_string(directory.join("cpu.stat")).ok();
        if let Some(ns) = stat.and_then(|stat| of_stat(&stat)) {
            *throttled.get_or_insert(0) += ns;
        }
    }
    throttled
}

/// Where a controller of these groups lies, the root last; version 2 has one hierarchy, version 1 one for each controller.
pub(crate) fn group_directories(groups: &str, controller: &str) -> Vec<PathBuf> {
    let of_line = |line: &str| -> Option<(PathBuf, PathBuf)> {
        let mut fields = line.splitn(3, ':');
        let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let root = match (id, controllers) {
            ("0", "") => Path::new("/sys/fs/cgroup").to_owned(),
            (_, controllers) if controllers.split(',').any(|one| one == controller) => {
                Path::new("/sys/fs/cgroup").join(controllers)
            }
            _ => return None,
        };
        Some((root.join(path.trim_start_matches('/')), root))
    };
    let places = groups.lines().filter_map(of_line);
    let above = |(place, root): (PathBuf, PathBuf)| {
        let up: Vec<PathBuf> =
            place.ancestors().take_while(|path| path.starts_with(&root)).map(Path::to_owned).collect();
        up
    };
    places.flat_map(above).collect()
}

/// `throttled_usec` (version 2) or `throttled_time` (version 1, nanoseconds) of a `cpu.stat`.
fn of_stat(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| match line.split_once(' ')? {
        ("throttled_usec", value) => Some(value.trim().parse::<u64>().ok()?.saturating_mul(NS_PER_US)),
        ("throttled_time", value) => value.trim().parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use procfs::FromRead;

    #[test]
    fn throttled_time_is_read_from_both_versions() {
        let v2 = "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 9\nnr_throttled 4\nthrottled_usec 1250\n";
        assert_eq!(of_stat(v2), Some(1_250_000));
        assert_eq!(of_stat("nr_periods 9\nnr_throttled 4\nthrottled_time 77\n"), Some(77));
        assert_eq!(of_stat("usage_usec 5\n"), None, "a root group has no limit");
        assert_eq!(of_stat("throttled_usec many\n"), None);
        assert_eq!(of_stat(""), None);
    }

    #[test]
    fn the_group_and_all_above_it_can_throttle() {
        let paths = |groups: &str| -> Vec<String> {
            group_directories(groups, "cpu").iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(paths("0::/a/b\n"), ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"]);
        assert_eq!(paths("0::/\n"), ["/sys/fs/cgroup/"]);
        let v1 = "4:memory:/x\n3:cpu,cpuacct:/docker/1\n1:name=systemd:/y\n";
        assert_eq!(
            paths(v1),
            ["/sys/fs/cgroup/cpu,cpuacct/docker/1", "/sys/fs/cgroup/cpu,cpuacct/docker", "/sys/fs/cgroup/cpu,cpuacct"]
        );
        assert!(paths("nonsense").is_empty());
    }

    #[test]
    fn pressure_is_the_total_of_some() {
        let text =
            "some avg10=1.25 avg60=0.50 avg300=0.10 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n";
        let pressure = procfs::CpuPressure::from_read(text.as_bytes()).unwrap();
        assert_eq!(pressure.some.total, 123_456);
    }

    #[test]
    fn what_is_not_ours_is_foreign() {
        let at = |all_ns, children_ns| Counters { all_ns, children_ns, ..Counters::default() };
        assert_eq!(at(Some(100), Some(30)).since(&at(Some(20), Some(10))).foreign_ns(), Some(60));
        assert_eq!(at(Some(100), None).since(&at(Some(20), Some(10))).foreign_ns(), None);
        // Ticks of one may be booked before those of the other.
        assert_eq!(at(Some(30), Some(40)).since(&at(Some(20), Some(20))).foreign_ns(), Some(0));
    }

    #[test]
    fn the_work_of_children_on_the_cores_is_not_foreign() {
        let cores = crate::machine::cores::allowed();
        let core = &cores[cores.len() - 1..];
        let before = Counters::read(core);
        let spin = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let run = || std::process::Command::new("sh").args(["-c", spin]).status().unwrap();
        assert!(crate::machine::cores::on(core, run).success());
        let grown = Counters::read(core).since(&before);
        assert!(grown.children_ns.unwrap() > 0, "{grown:?}");
        // Ticks are booked to a core and to a process by different clocks.
        assert!(grown.all_ns.unwrap() + 50_000_000 >= grown.children_ns.unwrap(), "{grown:?}");
        assert!(grown.foreign_ns().unwrap() <= grown.all_ns.unwrap(), "{grown:?}");
    }
}
