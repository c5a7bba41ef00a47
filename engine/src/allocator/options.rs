//! Options of the allocators: what the parent of a process puts into its environment, and what that process reads back.
//!
//! An allocator reads its options before `main`, so a process cannot set its own. And an allocator that does not know an
//! option says nothing: that it took is proved by asking the allocator itself.

use crate::clock::lock;
use crate::error::EngineError;
use crate::settings::format_duration_ns;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::channel;

/// What is asked of the chosen allocator; `None` leaves it as it is by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How long freed pages are kept before the system gets them back, milliseconds. jemalloc's `dirty_decay_ms` and
    /// `muzzy_decay_ms`, mimalloc's `purge_delay`.
    pub decay_ms: Option<u64>,
    /// Between how many arenas the threads are spread. jemalloc's `narenas` and `percpu_arena`, glibc's `arena_max`.
    pub arenas: Option<Arenas>,
    /// Ask the system for huge pages, or for none. jemalloc's `thp` and `metadata_thp`, mimalloc's `allow_thp` and
    /// `allow_large_os_pages`.
    pub huge_pages: Option<bool>,
    /// Freed pages go back from a thread of the allocator's own. jemalloc's `background_thread`.
    pub background_thread: Option<bool>,
}

/// A number of arenas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arenas {
    /// So many.
    Count(usize),
    /// One for each core, used by whoever runs there.
    PerCore,
}

/// Most arenas that can be asked for: as many threads are started to prove the number for the system's allocator.
const ARENAS_MOST: usize = 256;
/// Longest decay.
const DECAY_MS_MOST: u64 = 3_600_000;

const NO_DECAY: &str = "the system's allocator has no such option; leave it at default, or choose mimalloc or jemalloc";
const NO_ARENAS: &str =
    "mimalloc gives each thread a heap of its own; leave it at default, or choose jemalloc or system";
const NO_PER_CORE: &str = "only jemalloc has arenas per core; give a number, or choose jemalloc";
const NO_HUGE_PAGES: &str =
    "the system's allocator cannot tell whether it took; leave it at default, or choose mimalloc or jemalloc";
const NO_THREAD: &str = "only jemalloc has such a thread; leave it at default, or choose jemalloc";

/// Does this environment variable set options of an allocator? A parent that wants its own to be the only ones removes it.
pub fn is_option(variable: &str) -> bool {
    let all = ["_RJEM_MALLOC_CONF", "GLIBC_TUNABLES"];
    all.contains(&variable) || variable.starts_with("MIMALLOC_") || variable.starts_with("MALLOC_")
}

impl Options {
    /// Refuses what the allocator of this name does not have.
    ///
    /// # Errors
    /// [`EngineError::Setting`] with the knob (`allocator_…`), and what would do.
    pub fn check(&self, allocator: &str) -> Result<(), EngineError> {
        let refuse = |knob, value: String, rule| Err(EngineError::Setting { knob, value, rule });
        if let Some(decay_ms) = self.decay_ms {
            let value = format_duration_ns(decay_ms.saturating_mul(1_000_000));
            if allocator == "system" {
                return refuse("allocator_decay", value, NO_DECAY);
            }
            if !(1..=DECAY_MS_MOST).contains(&decay_ms) {
                return refuse("allocator_decay", value, "must be 1ms to 1h");
            }
        }
        match self.arenas {
            Some(arenas) if allocator == "mimalloc" => {
                return refuse("allocator_arenas", arenas.to_string(), NO_ARENAS);
            }
            Some(Arenas::PerCore) if allocator != "jemalloc" => {
                return refuse("allocator_arenas", Arenas::PerCore.to_string(), NO_PER_CORE);
            }
            Some(Arenas::Count(count)) if !(1..=ARENAS_MOST).contains(&count) => {
                return refuse("allocator_arenas", count.to_string(), "must be 1 to 256");
            }
            _ => {}
        }
        let on_off = |on| if on { "on" } else { "off" }.to_owned();
        match (self.huge_pages, self.background_thread) {
            (Some(on), _) if allocator == "system" => refuse("allocator_huge_pages", on_off(on), NO_HUGE_PAGES),
            (_, Some(on)) if allocator != "jemalloc" => refuse("allocator_background_thread", on_off(on), NO_THREAD),
            _ => Ok(()),
        }
    }

    /// The options by their own names, with the values that [`Options::in_force`] must find. Those that the allocator does not
    /// have are left out.
    fn wanted(&self, allocator: &str) -> Vec<(&'static str, String)> {
        let mut wanted = Vec::new();
        let mut want = |name, value: &dyn ToString| wanted.push((name, value.to_string()));
        match allocator {
            "jemalloc" => {
                if let Some(decay_ms) = self.decay_ms {
                    want("dirty_decay_ms", &decay_ms);
                    want("muzzy_decay_ms", &decay_ms);
                }
                match self.arenas {
                    Some(Arenas::Count(count)) => want("narenas", &count),
                    Some(Arenas::PerCore) => want("percpu_arena", &"percpu"),
                    None => {}
                }
                if let Some(on) = self.huge_pages {
                    want("thp", &if on { "always" } else { "never" });
                    want("metadata_thp", &if on { "auto" } else { "disabled" });
                }
                if let Some(on) = self.background_thread {
                    want("background_thread", &on);
                }
            }
            "mimalloc" => {
                if let Some(decay_ms) = self.decay_ms {
                    want("purge_delay", &decay_ms);
                }
                if let Some(on) = self.huge_pages {
                    // 2: purge in whole huge pages too, so that they stay huge.
                    want("allow_thp", &if on { 2 } else { 0 });
                    want("allow_large_os_pages", &i32::from(on));
                }
            }
            "system" => {
                if let Some(Arenas::Count(count)) = self.arenas {
                    want("arenas", &count);
                }
            }
            _ => {}
        }
        wanted
    }

    /// What the environment of a process must have for these options to be in force there, which has no other
    /// [option](is_option) of an allocator.
    pub fn variables(&self, allocator: &str) -> Vec<(String, String)> {
        let wanted = self.wanted(allocator);
        match allocator {
            "jemalloc" if !wanted.is_empty() => {
                let pairs: Vec<String> = wanted.iter().map(|(name, value)| format!("{name}:{value}")).collect();
                vec![("_RJEM_MALLOC_CONF".to_owned(), pairs.join(","))]
            }
            "mimalloc" => {
                wanted.into_iter().map(|(name, value)| (format!("MIMALLOC_{}", name.to_uppercase()), value)).collect()
            }
            "system" => wanted.into_iter().map(|(_, value)| ("MALLOC_ARENA_MAX".to_owned(), value)).collect(),
            _ => Vec::new(),
        }
    }

    /// Proves that these options took in this process, whose allocator is that of [`kind`](super::kind). For the number of
    /// arenas of the system's allocator it starts one thread more, for a moment.
    ///
    /// # Errors
    /// An option that is not in force, with what is instead; or an allocator that cannot be asked.
    pub fn prove(&self) -> Result<(), String> {
        let allocator = super::kind();
        let wanted = self.wanted(allocator);
        if allocator == "system"
            && let Some(Arenas::Count(count)) = self.arenas
        {
            crowd(count + 1)?;
        }
        let found = Options::in_force();
        for (name, value) in wanted {
            match found.get(name) {
                Some(there) if *there == value => {}
                Some(there) => {
                    return Err(format!("{allocator} was asked for {name} = {value}, in force is {name} = {there}"));
                }
                None => return Err(format!("{allocator} does not tell whether {name} = {value} is in force")),
            }
        }
        Ok(())
    }

    /// Options in force in this process by their own names, as the allocator itself tells; of the system's allocator the
    /// number of arenas that there are so far.
    pub fn in_force() -> BTreeMap<String, String> {
        let found = match super::kind() {
            "jemalloc" => of_jemalloc(),
            "mimalloc" => of_mimalloc(),
            "system" => arenas_of_system().map(|arenas| ("arenas", arenas.to_string())).into_iter().collect(),
            _ => Vec::new(),
        };
        found.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl std::fmt::Display for Arenas {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Arenas::Count(count) => write!(formatter, "{count}"),
            Arenas::PerCore => formatter.write_str("per_core"),
        }
    }
}

fn of_jemalloc() -> Vec<(&'static str, String)> {
    use tikv_jemalloc_ctl::raw::{read, read_str};
    let text = |name: &[u8]| {
        // SAFETY: jemalloc's manual gives these options the type of a string; its strings are constants.
        let text = unsafe { read_str(name) }.ok()?;
        Some(String::from_utf8_lossy(text.strip_suffix(b"\0").unwrap_or(text)).into_owned())
    };
    // SAFETY: the types are those that jemalloc's manual gives these options: ssize_t, unsigned, bool.
    let (dirty, muzzy, narenas, background) = unsafe {
        (
            read::<isize>(b"opt.dirty_decay_ms\0"),
            read::<isize>(b"opt.muzzy_decay_ms\0"),
            read::<libc::c_uint>(b"opt.narenas\0"),
            read::<bool>(b"opt.background_thread\0"),
        )
    };
    let found = [
        ("dirty_decay_ms", dirty.ok().map(|ms| ms.to_string())),
        ("muzzy_decay_ms", muzzy.ok().map(|ms| ms.to_string())),
        ("narenas", narenas.ok().map(|count| count.to_string())),
        ("percpu_arena", text(b"opt.percpu_arena\0")),
        ("thp", text(b"opt.thp\0")),
        ("metadata_thp", text(b"opt.metadata_thp\0")),
        ("background_thread", background.ok().map(|on| on.to_string())),
    ];
    found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

unsafe extern "C" {
    /// Of the mimalloc that this binary holds anyway; the crate declares it only with features that bring more along.
    safe fn mi_option_get(option: libc::c_int) -> libc::c_long;
}

fn of_mimalloc() -> Vec<(&'static str, String)> {
    // Places in `mi_option_t` of mimalloc 3.3. Another version that moves them is found out by the proof itself.
    let options = [("allow_large_os_pages", 6), ("purge_delay", 15), ("allow_thp", 43)];
    options.map(|(name, place)| (name, mi_option_get(place).to_string())).into()
}

/// Arenas that the system's allocator has made so far.
fn arenas_of_system() -> Option<usize> {
    let (mut text, mut length) = (std::ptr::null_mut::<libc::c_char>(), 0);
    // SAFETY: both places are written until the stream is closed, and outlive it; what `text` points to then is ours to free.
    let told = unsafe {
        let stream = libc::open_memstream(&mut text, &mut length);
        if stream.is_null() {
            return None;
        }
        let told = libc::malloc_info(0, stream);
        libc::fclose(stream);
        told
    };
    if text.is_null() {
        return None;
    }
    // SAFETY: the closed stream left `length` bytes there.
    let xml = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    let arenas = xml.windows(9).filter(|word| word == b"<heap nr=").count();
    // SAFETY: it came from the C library's allocator and is not used any more.
    unsafe { libc::free(text.cast()) };
    (told == 0).then_some(arenas)
}

/// So many threads that have allocated, all there at once: the system's allocator makes arenas for them, up to its limit.
fn crowd(threads: usize) -> Result<(), String> {
    let gate = Mutex::new(());
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        let closed = lock(&gate);
        let start = || {
            let (tell, gate) = (tell.clone(), &gate);
            let body = move || {
                // Nobody may be listening any more when another thread could not be started.
                let _ = tell.send(Box::new(0_u64));
                drop(lock(gate));
            };
            std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, body).map(drop)
        };
        let started: Result<(), std::io::Error> = (0..threads).try_for_each(|_| start());
        let started = started.map_err(|error| format!("the arenas cannot be counted: no {threads} threads: {error}"));
        if started.is_ok() {
            told.iter().take(threads).for_each(drop);
        }
        drop(closed);
        started
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Options = Options { decay_ms: None, arenas: None, huge_pages: None, background_thread: None };

    #[test]
    fn options_that_an_allocator_lacks_are_refused_by_knob() {
        let refused = |allocator: &str, options: Options| match options.check(allocator) {
            Err(EngineError::Setting { knob, .. }) => knob,
            other => panic!("{allocator}: {other:?}"),
        };
        let decay = Options { decay_ms: Some(500), ..NOTHING };
        let arenas = Options { arenas: Some(Arenas::Count(2)), ..NOTHING };
        let per_core = Options { arenas: Some(Arenas::PerCore), ..NOTHING };
        let huge = Options { huge_pages: Some(false), ..NOTHING };
        let thread = Options { background_thread: Some(true), ..NOTHING };
        assert_eq!(refused("system", decay), "allocator_decay");
        assert_eq!(refused("system", huge), "allocator_huge_pages");
        assert_eq!(refused("system", per_core), "allocator_arenas");
        assert_eq!(refused("system", thread), "allocator_background_thread");
        assert_eq!(refused("mimalloc", arenas), "allocator_arenas");
        assert_eq!(refused("mimalloc", per_core), "allocator_arenas");
        assert_eq!(refused("mimalloc", thread), "allocator_background_thread");
        assert_eq!(refused("jemalloc", Options { arenas: Some(Arenas::Count(0)), ..NOTHING }), "allocator_arenas");
        assert_eq!(refused("jemalloc", Options { decay_ms: Some(3_600_001), ..NOTHING }), "allocator_decay");
        for options in [NOTHING, decay, arenas, per_core, huge, thread] {
            assert_eq!(options.check("jemalloc"), Ok(()));
        }
        assert_eq!(decay.check("mimalloc").and(huge.check("mimalloc")).and(arenas.check("system")), Ok(()));
    }

    #[test]
    fn each_allocator_has_its_own_variables() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let all = Options {
            decay_ms: Some(500),
            arenas: Some(Arenas::Count(3)),
            huge_pages: Some(true),
            background_thread: Some(false),
        };
        let conf =
            "dirty_decay_ms:500,muzzy_decay_ms:500,narenas:3,thp:always,metadata_thp:auto,background_thread:false";
        assert_eq!(all.variables("jemalloc"), [pair("_RJEM_MALLOC_CONF", conf)]);
        let mimalloc = Options { arenas: None, background_thread: None, ..all }.variables("mimalloc");
        let [delay, thp, large] =
            ["PURGE_DELAY", "ALLOW_THP", "ALLOW_LARGE_OS_PAGES"].map(|name| format!("MIMALLOC_{name}"));
        assert_eq!(mimalloc, [pair(&delay, "500"), pair(&thp, "2"), pair(&large, "1")]);
        let system = Options { arenas: all.arenas, ..NOTHING }.variables("system");
        assert_eq!(system, [pair("MALLOC_ARENA_MAX", "3")]);
        for allocator in super::super::NAMES {
            assert_eq!(NOTHING.variables(allocator), []);
            assert!(all.variables(allocator).iter().all(|(name, _)| is_option(name)));
        }
        assert!(!is_option("PATH") && !is_option("DOWNBEAT_ALLOCATOR"));
    }

    #[test]
    fn arenas_of_the_system_grow_with_a_crowd() {
        let before = arenas_of_system().expect("glibc tells");
        crowd(before + 2).expect("a few threads");
        assert!(arenas_of_system().expect("glibc tells") > before, "no arena for {} threads", before + 2);
    }
}
