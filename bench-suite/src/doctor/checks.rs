//! What is looked at, one entry each: why it matters, what to do, and how it is seen. A file that is not there is no error: the thing is
//! unknown then, as much is inside a container.

use super::host::Host;
use crate::machine::{fingerprint, group_directories};
use downbeat_reports::quantity::{bytes, duration, percent};
use rustix::fs::statvfs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Figures get worse by it.
    Warn,
    /// The host does not tell.
    Unknown,
}

impl State {
    /// The word for people and programs.
    pub(super) fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Unknown => "unknown",
        }
    }
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// How it is.
    pub(super) state: State,
    /// The value, for people.
    pub(super) value: String,
}

impl Seen {
    pub(super) fn ok(value: impl Into<String>) -> Self {
        Seen { state: State::Ok, value: value.into() }
    }

    pub(super) fn warn(value: impl Into<String>) -> Self {
        Seen { state: State::Warn, value: value.into() }
    }

    fn unknown(value: impl Into<String>) -> Self {
        Seen { state: State::Unknown, value: value.into() }
    }

    fn warn_if(is_bad: bool, value: impl Into<String>) -> Self {
        if is_bad { Seen::warn(value) } else { Seen::ok(value) }
    }
}

/// One thing that is looked at.
pub(super) struct Check {
    /// What it is.
    pub(super) name: &'static str,
    /// Why it matters.
    pub(super) why: &'static str,
    /// What to do about it.
    pub(super) advice: &'static str,
    /// How it is.
    pub(super) look: fn(&Host) -> Seen,
}

/// A stolen share of CPU time above this is told.
const STOLEN: f64 = 0.01;

/// A load above this share of the cores is told.
const BUSY: f64 = 0.25;

/// Wake-ups later than this are hiccups, as in a trial.
const HICCUP_NS: u64 = 2_000_000;

/// A timer that is later than this half of the time is no timer for intervals of milliseconds.
const LATE_NS: u64 = 500_000;

/// A reading of the clock that takes longer than this is a system call.
const READING_NS: f64 = 250.0;

/// Less memory, or less room on the disk, is told.
const ENOUGH_BYTES: u64 = 1 << 30;

/// Users may take samples of their own programs up to this level.
const PARANOID: i32 = 2;

/// The bit of a process's personality that switches its randomisation off: `ADDR_NO_RANDOMIZE` of personality(2).
const NO_RANDOMISATION: u32 = 0x0004_0000;

/// All of them, in the order in which they are told.
pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "build",
        why: "a program that was not optimised measures the compiler's thrift, not the job",
        advice: "cargo build --release, and measure with target/release/downbeat",
        look: |_| build(&fingerprint().remove("build_profile").unwrap_or_default()),
    },
    Check {
        name: "cores",
        why: "the sender, the engine and its workers take turns on a single core, and each waits for the others",
        advice: "measure where two cores or more are free, or give this process more: taskset, docker --cpuset-cpus",
        look: cores,
    },
    Check {
        name: "CPU quota",
        why: "a control group that has used up its quota stands still until the next period, whatever is due",
        advice: "lift the limit for measuring: docker run without --cpus, a pod whose CPU request is its limit, systemd CPUQuota=",
        look: quota,
    },
    Check {
        name: "load",
        why: "other processes take the cores and the caches from the job",
        advice: "end them, or wait; top shows who it is",
        look: load,
    },
    Check {
        name: "steal",
        why: "the hypervisor gives the time of these cores to other guests, in the middle of batches",
        advice: "measure at another time or on a machine of its own; compare builds with downbeat gate, whose processes take turns",
        look: steal,
    },
    Check {
        name: "timer",
        why: "what wakes up late starts a batch late, and pauses of the host look like those of the job",
        advice: "end what else runs here; keep --interval well above the pauses",
        look: timer,
    },
    Check {
        name: "clock",
        why: "each stamp of a record reads the clock, which is a slow system call from some sources",
        advice: "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource, where it is available",
        look: clock,
    },
    Check {
        name: "governor",
        why: "a core that idles between batches is slowed down, and begins the next batch slowly",
        advice: "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        look: governor,
    },
    Check {
        name: "turbo",
        why: "how fast a core is depends on how warm it is and what the others do, so runs differ from each other",
        advice: "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 into /sys/devices/system/cpu/cpufreq/boost",
        look: turbo,
    },
    Check {
        name: "huge pages",
        why: "whether a process gets transparent huge pages is chance, so runs differ from each other; making them can hold up a batch",
        advice: "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
        look: huge_pages,
    },
    Check {
        name: "address randomisation",
        why: "without it every process has the same layout in memory, whose luck looks like speed; several runs average over it",
        advice: "sudo sysctl kernel.randomize_va_space=2, and no setarch --addr-no-randomize",
        look: randomisation,
    },
    Check {
        name: "memory",
        why: "a process that is out of memory swaps or is killed",
        advice: "end what holds it, raise the limit of the container, or take a smaller --ring and fewer keys",
        look: memory,
    },
    Check {
        name: "disk",
        why: "results, with every batch of every trial, are written here; a full disk loses them",
        advice: "free some space, or give --out a directory on another disk",
        look: |_| disk(Path::new(".")),
    },
    Check {
        name: "kernel samples",
        why: "samples of what ran inside a late batch come from the kernel, which gives them to users only up to level 2",
        advice: "sudo sysctl kernel.perf_event_paranoid=2; in a container on its host, and --cap-add PERFMON",
        look: kernel_samples,
    },
    Check {
        name: "valgrind",
        why: "a gate counts instructions by it, which needs no quiet machine",
        advice: "apt-get install valgrind",
        look: |_| valgrind(),
    },
];

fn build(profile: &str) -> Seen {
    match profile {
        "release" => Seen::ok(profile),
        "" => Seen::unknown("it does not say how it was built"),
        _ => Seen::warn(profile),
    }
}

fn cores(host: &Host) -> Seen {
    let online = host.read("/sys/devices/system/cpu/online").and_then(|list| listed(&list));
    let Some(allowed) = allowed_cores(host) else { return Seen::unknown("the host does not tell") };
    let value = match online {
        Some(online) if online > allowed => format!("{allowed} of {online} online"),
        _ => allowed.to_string(),
    };
    Seen::warn_if(allowed < 2, value)
}

/// Cores that this process may run on.
fn allowed_cores(host: &Host) -> Option<usize> {
    let status = host.read("/proc/self/status")?;
    listed(status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?)
}

/// How many numbers are in a list such as `0-3,8`.
fn listed(list: &str) -> Option<usize> {
    let mut number = 0_usize;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        number = number.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(number)
}

/// The tightest quota of the control groups that this process is in, against the cores that it has.
fn quota(host: &Host) -> Seen {
    let Some(groups) = host.read("/proc/self/cgroup") else {
        return Seen::unknown("the host does not tell of control groups");
    };
    let quotas = group_directories(&groups, "cpu").into_iter().filter_map(|place| quota_of(host, &place));
    match quotas.min_by(f64::total_cmp) {
        None => Seen::ok("none"),
        Some(quota) => {
            let is_tight = allowed_cores(host).is_none_or(|cores| quota < cores as f64);
            Seen::warn_if(is_tight, format!("{quota:.2} cores"))
        }
    }
}

/// The quota of a group in cores: `cpu.max` of version 2, two files of version 1.
fn quota_of(host: &Host, place: &Path) -> Option<f64> {
    let read = |name: &str| host.read(&place.join(name).display().to_string());
    let (quota, period) = match read("cpu.max") {
        Some(both) => both.split_once(' ').map(|(quota, period)| (quota.to_owned(), period.to_owned()))?,
        None => (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?),
    };
    // `max` and -1 are no limits.
    let quota: f64 = quota.parse().ok().filter(|quota| *quota > 0.0)?;
    let period: f64 = period.parse().ok().filter(|period| *period > 0.0)?;
    Some(quota / period)
}

fn load(host: &Host) -> Seen {
    let loads = host.read("/proc/loadavg");
    let one: Option<f64> = loads.and_then(|loads| loads.split(' ').next()?.parse().ok());
    let Some(one) = one else { return Seen::unknown("the host does not tell") };
    let cores = allowed_cores(host).unwrap_or(1);
    Seen::warn_if(one > BUSY * cores as f64, format!("{one:.2} over the last minute, for {cores} cores"))
}

fn steal(host: &Host) -> Seen {
    let (Some(before), Some(after)) = (host.before, host.after) else {
        return Seen::unknown("the host does not tell");
    };
    let meanwhile = super::host::Ticks {
        stolen: after.stolen.saturating_sub(before.stolen),
        all: after.all.saturating_sub(before.all),
    };
    let value =
        format!("{} since the host started, {} in the last second", percent(after.share()), percent(meanwhile.share()));
    Seen::warn_if(after.share() > STOLEN || meanwhile.share() > STOLEN, value)
}

fn timer(host: &Host) -> Seen {
    let (Some(median_ns), Some(longest_ns)) = (host.naps.median_ns(), host.naps.longest_ns()) else {
        return Seen::unknown("no thread could be started");
    };
    let hiccups = host.naps.later_than(HICCUP_NS);
    let value = format!(
        "half of the naps of one second end within {}, the worst {} late; {hiccups} by more than {}",
        duration(median_ns),
        duration(longest_ns),
        duration(HICCUP_NS)
    );
    Seen::warn_if(median_ns > LATE_NS || hiccups > 0, value)
}

fn clock(host: &Host) -> Seen {
    let source = host.read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    clock_seen(source.as_deref(), reading_ns())
}

fn clock_seen(source: Option<&str>, reading_ns: f64) -> Seen {
    let value = format!("{}, {reading_ns:.0} ns a reading", source.unwrap_or("unknown source"));
    Seen::warn_if(reading_ns > READING_NS, value)
}

/// What a reading of the clock takes, nanoseconds: the least of several rounds, which was disturbed least.
fn reading_ns() -> f64 {
    const READINGS: u32 = 1_000;
    let round = || {
        let begin = Instant::now();
        for _ in 0..READINGS {
            black_box(Instant::now());
        }
        begin.elapsed().as_nanos() as f64 / f64::from(READINGS)
    };
    (0..5).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn governor(host: &Host) -> Seen {
    match host.read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") {
        Some(governor) => Seen::warn_if(governor != "performance", governor),
        None => Seen::unknown("the host does not tell, as in a virtual machine"),
    }
}

fn turbo(host: &Host) -> Seen {
    let intel = host.read("/sys/devices/system/cpu/intel_pstate/no_turbo").map(|off| off == "0");
    let other = || host.read("/sys/devices/system/cpu/cpufreq/boost").map(|on| on == "1");
    match intel.or_else(other) {
        Some(is_on) => Seen::warn_if(is_on, if is_on { "on" } else { "off" }),
        None => Seen::unknown("the host does not tell, as in a virtual machine"),
    }
}

fn huge_pages(host: &Host) -> Seen {
    let words = host.read("/sys/kernel/mm/transparent_hugepage/enabled");
    // The one that holds stands in brackets.
    let chosen = words.as_deref().and_then(|words| words.split_once('[')?.1.split_once(']'));
    match chosen {
        Some((chosen, _)) => Seen::warn_if(chosen == "always", chosen),
        None => Seen::unknown("the host does not tell"),
    }
}

fn randomisation(host: &Host) -> Seen {
    let personality = host.read("/proc/self/personality").and_then(|word| u32::from_str_radix(&word, 16).ok());
    if personality.is_some_and(|personality| personality & NO_RANDOMISATION != 0) {
        return Seen::warn("off for this process");
    }
    match host.read("/proc/sys/kernel/randomize_va_space").as_deref() {
        Some("0") => Seen::warn("off"),
        Some("1") => Seen::ok("on, without the heap"),
        Some(_) => Seen::ok("on"),
        None => Seen::unknown("the host does not tell"),
    }
}

fn memory(host: &Host) -> Seen {
    let available = host.read("/proc/meminfo").and_then(|memory| kibibytes(&memory, "MemAvailable:"));
    let limit = memory_limit(host);
    let told = limit.map(|limit| format!(", limit {}", bytes(limit))).unwrap_or_else(|| ", no limit".to_owned());
    match available {
        Some(available) => {
            let least = limit.map_or(available, |limit| limit.min(available));
            Seen::warn_if(least < ENOUGH_BYTES, format!("{} free{told}", bytes(available)))
        }
        None => Seen::unknown(format!("the host does not tell{told}")),
    }
}

fn kibibytes(memory: &str, name: &str) -> Option<u64> {
    let value = memory.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The tightest limit of the control groups that this process is in; version 1 writes a number beyond all memory for none.
fn memory_limit(host: &Host) -> Option<u64> {
    let groups = host.read("/proc/self/cgroup")?;
    let total = kibibytes(&host.read("/proc/meminfo")?, "MemTotal:").unwrap_or(u64::MAX);
    let limit = |place: &Path| {
        let files = ["memory.max", "memory.limit_in_bytes"];
        let text = files.iter().find_map(|name| host.read(&place.join(name).display().to_string()))?;
        text.parse::<u64>().ok().filter(|limit| *limit < total)
    };
    group_directories(&groups, "memory").iter().filter_map(|place| limit(place)).min()
}

fn disk(place: &Path) -> Seen {
    match statvfs(place) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            Seen::warn_if(free < ENOUGH_BYTES, format!("{} free in this directory", bytes(free)))
        }
        Err(error) => Seen::unknown(format!("this directory does not tell: {error}")),
    }
}

fn kernel_samples(host: &Host) -> Seen {
    let level = host.read("/proc/sys/kernel/perf_event_paranoid");
    match level.and_then(|level| level.parse::<i32>().ok()) {
        Some(level) => Seen::warn_if(level > PARANOID, format!("perf_event_paranoid {level}")),
        None => Seen::unknown("this kernel has none"),
    }
}

fn valgrind() -> Seen {
    let asked = Command::new("valgrind").arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    match asked {
        Ok(output) if output.status.success() => Seen::ok(String::from_utf8_lossy(&output.stdout).trim()),
        _ => Seen::warn("not found"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::Ticks;
    use super::*;
    use crate::machine::Naps;

    /// A host with these files, and what a check says of it.
    fn seen(look: fn(&Host) -> Seen, files: &[(&str, &str)]) -> Seen {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        look(&Host::at(root.path().to_owned()))
    }

    const STATUS: (&str, &str) = ("/proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-3,8\n");

    #[test]
    fn a_bare_container_is_unknown_and_never_an_error() {
        for check in CHECKS {
            let seen = seen(check.look, &[]);
            let asks_a_file = !["build", "clock", "disk", "valgrind"].contains(&check.name);
            assert!(!asks_a_file || seen.state == State::Unknown, "{}: {seen:?}", check.name);
            assert!(!seen.value.is_empty() && !check.why.is_empty() && !check.advice.is_empty());
        }
    }

    #[test]
    fn nonsense_in_files_is_unknown_too() {
        let paths = [
            "/proc/self/status",
            "/proc/self/cgroup",
            "/proc/loadavg",
            "/proc/meminfo",
            "/proc/sys/kernel/perf_event_paranoid",
            "/sys/kernel/mm/transparent_hugepage/enabled",
            "/sys/devices/system/cpu/online",
        ];
        for nonsense in
            ["", "\n", "nonsense", "[", "-", "99999999999999999999999", "0::/\n", "Cpus_allowed_list: 9-1,x"]
        {
            for check in CHECKS {
                let files: Vec<(&str, &str)> = paths.iter().map(|path| (*path, nonsense)).collect();
                let seen = seen(check.look, &files);
                assert!(!seen.value.contains("NaN") && !seen.value.is_empty(), "{}: {nonsense}: {seen:?}", check.name);
            }
        }
    }

    #[test]
    fn cores_are_those_that_this_process_has() {
        assert_eq!(seen(cores, &[STATUS]), Seen::ok("5"));
        assert_eq!(seen(cores, &[STATUS, ("/sys/devices/system/cpu/online", "0-8\n")]), Seen::ok("5 of 9 online"));
        assert_eq!(seen(cores, &[("/proc/self/status", "Cpus_allowed_list:\t3\n")]), Seen::warn("1"));
    }

    #[test]
    fn the_tightest_quota_of_either_version_counts() {
        let group = ("/proc/self/cgroup", "0::/a/b\n");
        let tight = [
            STATUS,
            group,
            ("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
        ];
        assert_eq!(seen(quota, &tight), Seen::warn("1.50 cores"));
        let wide = [STATUS, group, ("/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n")];
        assert_eq!(seen(quota, &wide), Seen::ok("8.00 cores"));
        assert_eq!(seen(quota, &[STATUS, group]), Seen::ok("none"));
        let old = [
            STATUS,
            ("/proc/self/cgroup", "3:cpu,cpuacct:/docker\n2:memory:/docker\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(seen(quota, &old), Seen::warn("0.50 cores"));
    }

    #[test]
    fn a_busy_host_is_told() {
        assert_eq!(seen(load, &[STATUS, ("/proc/loadavg", "1.00 2 3 1/2 9\n")]).state, State::Ok);
        assert_eq!(seen(load, &[STATUS, ("/proc/loadavg", "1.50 2 3 1/2 9\n")]).state, State::Warn);
    }

    #[test]
    fn steal_is_told_of_both_times() {
        let mut host = Host::at("/nowhere".into());
        (host.before, host.after) = (Some(Ticks { stolen: 0, all: 0 }), Some(Ticks { stolen: 1, all: 1000 }));
        assert_eq!(steal(&host), Seen::ok("0.1 % since the host started, 0.1 % in the last second"));
        host.before = Some(Ticks { stolen: 0, all: 980 });
        assert_eq!(steal(&host), Seen::warn("0.1 % since the host started, 5 % in the last second"));
        (host.before, host.after) = (Some(Ticks { stolen: 90, all: 900 }), Some(Ticks { stolen: 90, all: 1000 }));
        assert_eq!(steal(&host).state, State::Warn);
    }

    #[test]
    fn a_timer_that_is_late_now_and_then_or_always_is_told() {
        let host = |late_ns: Vec<u64>| {
            let mut host = Host::at("/nowhere".into());
            host.naps = Naps::of(late_ns);
            host
        };
        assert_eq!(timer(&host(vec![60_000; 900])).state, State::Ok);
        assert_eq!(timer(&host(vec![600_000; 900])).state, State::Warn);
        let now_and_then = timer(&host([vec![60_000; 900], vec![2_500_000]].concat()));
        assert_eq!(
            now_and_then,
            Seen::warn("half of the naps of one second end within 60 µs, the worst 2.5 ms late; 1 by more than 2 ms")
        );
    }

    #[test]
    fn words_of_the_kernel_are_understood() {
        type Case<'c> = (fn(&Host) -> Seen, &'c str, &'c str, Seen);
        let cases: [Case<'_>; 10] = [
            (randomisation, "/proc/self/personality", "00040000\n", Seen::warn("off for this process")),
            (
                huge_pages,
                "/sys/kernel/mm/transparent_hugepage/enabled",
                "always [madvise] never\n",
                Seen::ok("madvise"),
            ),
            (
                huge_pages,
                "/sys/kernel/mm/transparent_hugepage/enabled",
                "[always] madvise never\n",
                Seen::warn("always"),
            ),
            (governor, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n", Seen::warn("powersave")),
            (turbo, "/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n", Seen::warn("on")),
            (turbo, "/sys/devices/system/cpu/cpufreq/boost", "0\n", Seen::ok("off")),
            (randomisation, "/proc/sys/kernel/randomize_va_space", "0\n", Seen::warn("off")),
            (randomisation, "/proc/sys/kernel/randomize_va_space", "2\n", Seen::ok("on")),
            (kernel_samples, "/proc/sys/kernel/perf_event_paranoid", "3\n", Seen::warn("perf_event_paranoid 3")),
            (kernel_samples, "/proc/sys/kernel/perf_event_paranoid", "-1\n", Seen::ok("perf_event_paranoid -1")),
        ];
        for (look, path, content, expected) in cases {
            assert_eq!(seen(look, &[(path, content)]), expected, "{path}");
        }
        assert_eq!(clock_seen(Some("tsc"), 25.4), Seen::ok("tsc, 25 ns a reading"));
        assert_eq!(clock_seen(Some("hpet"), 1_200.0), Seen::warn("hpet, 1200 ns a reading"));
        assert_eq!(
            [build("release").state, build("debug").state, build("").state],
            [State::Ok, State::Warn, State::Unknown]
        );
    }

    #[test]
    fn memory_is_what_is_free_below_the_limit() {
        let free = ("/proc/meminfo", "MemTotal:  8388608 kB\nMemAvailable:  4194304 kB\n");
        assert_eq!(seen(memory, &[free]), Seen::ok("4 GiB free, no limit"));
        let group = ("/proc/self/cgroup", "0::/a\n");
        let limited = [free, group, ("/sys/fs/cgroup/a/memory.max", "536870912\n")];
        assert_eq!(seen(memory, &limited), Seen::warn("4 GiB free, limit 512 MiB"));
        let unlimited = [free, group, ("/sys/fs/cgroup/a/memory.max", "max\n")];
        assert_eq!(seen(memory, &unlimited), Seen::ok("4 GiB free, no limit"));
        let old = [
            free,
            ("/proc/self/cgroup", "4:memory:/x\n"),
            ("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(seen(memory, &old), Seen::ok("4 GiB free, no limit"));
    }
}
