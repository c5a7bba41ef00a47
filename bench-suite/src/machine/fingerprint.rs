//! What a reader must know about the machine and the build: an allow-list, so that nothing secret gets into a record.

use super::priority;
use procfs::Current;
use std::collections::BTreeMap;

/// Machine and build by name. What cannot be known is left out.
pub fn fingerprint() -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    let mut note = |name: &str, value: Option<String>| {
        if let Some(value) = value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()) {
            environment.insert(name.to_owned(), value);
        }
    };
    note("downbeat_version", Some(env!("CARGO_PKG_VERSION").to_owned()));
    note("downbeat_commit", Some(env!("BUILD_OF_DOWNBEAT_COMMIT").to_owned()));
    note("build_profile", Some(env!("BUILD_OF_DOWNBEAT_PROFILE").to_owned()));
    note("rustc", Some(env!("BUILD_OF_DOWNBEAT_RUSTC").to_owned()));
    note("target", Some(format!("{} {}", std::env::consts::ARCH, std::env::consts::OS)));
    note("host", read("/proc/sys/kernel/hostname"));
    note("kernel", read("/proc/sys/kernel/osrelease"));
    note("os", os_name());
    note("cpu", cpu_model());
    note("cores", std::thread::available_parallelism().ok().map(|cores| cores.to_string()));
    note("cpu_governor", read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    note("memory_bytes", procfs::Meminfo::current().ok().map(|memory| memory.mem_total.to_string()));
    note("nice", priority::nice().map(|nice| nice.to_string()));
    note("load_1_min", procfs::LoadAverage::current().ok().map(|load| load.one.to_string()));
    note("clock_source", read("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
    note("transparent_huge_pages", read("/sys/kernel/mm/transparent_hugepage/enabled"));
    note("cgroup_cpu_max", read("/sys/fs/cgroup/cpu.max"));
    note("cgroup_memory_max", read("/sys/fs/cgroup/memory.max"));
    environment
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn cpu_model() -> Option<String> {
    let cpus = procfs::CpuInfo::current().ok()?;
    cpus.model_name(0).map(str::to_owned)
}

fn os_name() -> Option<String> {
    let release = read("/etc/os-release")?;
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_linux_knows_is_there_and_nothing_is_empty() {
        let environment = fingerprint();
        for name in ["downbeat_version", "rustc", "kernel", "cores", "memory_bytes"] {
            assert!(environment.contains_key(name), "{name} is missing of {environment:?}");
        }
        assert!(environment.values().all(|value| !value.is_empty() && value.trim() == value));
    }
}
