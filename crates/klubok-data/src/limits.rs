//! What the system lets this process have: memory and threads. Linux says so in files; elsewhere
//! nothing is known.
//!
//! The least of several limits counts: what the machine has left, what the process may have
//! (`ulimit`), and what the control groups may have that it is in. Others take from the same, so
//! what is said here may be gone a moment later.

use std::{
    path::{Component, Path, PathBuf},
    thread,
};

use klubok_nn::PlanError;

use crate::bounded;

/// Most bytes of one of the system's files.
const FILE: u64 = 1 << 20;
/// What stays free for everything small: where nothing is left, the next small thing ends the
/// process without a word.
const SPARE: u64 = 4 << 20;
/// What a thread may take beside its work: its stack and a heap of its own.
const THREAD: u64 = 128 << 20;

/// Bytes of memory that this process may still take.
pub fn available_memory() -> Option<u64> {
    memory(Path::new("/"))
}

/// Most bytes of a file of numbers, which is as large as a network: half of the memory there is,
/// since they are in it twice while they are read.
pub fn file_of_numbers() -> u64 {
    available_memory().map_or(u64::MAX, |bytes| bytes / 2)
}

/// The same without the limits of the process itself: the system lets nobody go beyond those, but
/// gives away more memory than the machine and control groups have.
pub fn machine_memory() -> Option<u64> {
    machine(Path::new("/"))
}

/// Threads that this process may still start; where others of the same user have some, fewer.
pub fn available_threads() -> Option<u64> {
    threads(Path::new("/"))
}

/// Files that this process may have open at once; none where the system does not say, or says that
/// there is no limit.
pub fn files() -> Option<u64> {
    number_after(&read(Path::new("/proc/self/limits")), "Max open files")
}

/// Whether so many bytes can be had, as far as the system tells.
pub fn fits(bytes: u64) -> bool {
    isize::try_from(bytes).is_ok()
        && available_memory().is_none_or(|available| bytes.saturating_add(SPARE) <= available)
}

/// Refuses a network that takes so many bytes more than there are.
///
/// # Errors
/// [`PlanError::Memory`].
pub fn check_network(bytes: u64) -> Result<(), PlanError> {
    let needed = bytes.saturating_add(SPARE);
    let memory = || PlanError::Memory { needed, available: available_memory() };
    fits(bytes).then_some(()).ok_or_else(memory)
}

/// Does `work` on `threads` threads at once, this one among them, or on as many as can be had. Each
/// takes what is left to do until there is none, so how many there are decides nothing but the
/// time.
///
/// # Panics
/// When `work` does.
pub fn together(threads: usize, work: impl Fn() + Sync) {
    let most = available_memory().map_or(u64::MAX, |available| available / THREAD);
    let others = (threads as u64).min(most).saturating_sub(1);
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, &work).ok();
        let others: Vec<_> = (0..others).map_while(start).collect();
        work();
        for other in others {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

fn memory(root: &Path) -> Option<u64> {
    let status = read(&root.join("proc/self/status"));
    let limits = read(&root.join("proc/self/limits"));
    let rest = |limit, taken| left(number_after(&limits, limit), kib(&status, taken));
    let process = [rest("Max address space", "VmSize:"), rest("Max data size", "VmData:")];
    process.into_iter().chain([machine(root)]).flatten().min()
}

fn machine(root: &Path) -> Option<u64> {
    let all = kib(&read(&root.join("proc/meminfo")), "MemAvailable:");
    let groups = groups(root, "memory").map(|group| {
        // Pages of files are given back when memory is short.
        let stat = read(&group.join("memory.stat"));
        let of = |names: [&str; 2]| names.iter().find_map(|name| number_after(&stat, name));
        let files =
            [["total_active_file", "active_file"], ["total_inactive_file", "inactive_file"]]
                .map(|names| of(names).unwrap_or(0));
        let taken = number(&group, ["memory.current", "memory.usage_in_bytes"]);
        let taken = taken.map(|taken| taken.saturating_sub(files.iter().sum()));
        left(number(&group, ["memory.max", "memory.limit_in_bytes"]), taken)
    });
    groups.chain([all]).flatten().min()
}

fn threads(root: &Path) -> Option<u64> {
    let status = read(&root.join("proc/self/status"));
    let limit = number_after(&read(&root.join("proc/self/limits")), "Max processes");
    let process = left(limit.filter(|_| !privileged(&status)), number_after(&status, "Threads:"));
    let groups = groups(root, "pids")
        .map(|group| left(number(&group, ["pids.max"; 2]), number(&group, ["pids.current"; 2])));
    groups.chain([process]).flatten().min()
}

/// The system does not count the processes of its administrator.
fn privileged(status: &str) -> bool {
    let of = |name| status.lines().find_map(|line| line.strip_prefix(name));
    let user = of("Uid:").and_then(|ids| ids.split_whitespace().next()) == Some("0");
    let rights = of("CapEff:").and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    // CAP_SYS_ADMIN and CAP_SYS_RESOURCE.
    user || rights.is_some_and(|rights| rights & (1 << 21 | 1 << 24) != 0)
}

/// The folders of the control groups that this process is in and that count `what`, the innermost
/// first.
fn groups(root: &Path, what: &str) -> impl Iterator<Item = PathBuf> {
    let mounts = root.join("sys/fs/cgroup");
    let mut folders = Vec::new();
    for line in read(&root.join("proc/self/cgroup")).lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let tops = if controllers.is_empty() {
            vec![mounts.clone(), mounts.join("unified")]
        } else if controllers.split(',').any(|name| name == what) {
            vec![mounts.join(what), mounts.join(controllers)]
        } else {
            continue;
        };
        // In a container the path may be that of the host, and nothing but its top is there to be
        // read.
        let path = Path::new(path.trim_start_matches('/'));
        let inner = path.components().all(|part| matches!(part, Component::Normal(_)));
        let path = if inner { path } else { Path::new("") };
        let all = tops.iter().flat_map(|top| path.ancestors().map(|part| top.join(part)));
        folders.extend(all);
    }
    folders.into_iter()
}

fn read(file: &Path) -> String {
    bounded::read_to_string(file, FILE).unwrap_or_default()
}

/// What is left of a limit, if there is one.
fn left(limit: Option<u64>, taken: Option<u64>) -> Option<u64> {
    limit.map(|limit| limit.saturating_sub(taken.unwrap_or(0)))
}

/// The number that stands alone in the first of these files; `None` for `max`, too.
fn number(folder: &Path, files: [&str; 2]) -> Option<u64> {
    files.iter().find_map(|file| read(&folder.join(file)).trim().parse().ok())
}

/// The number after a word at the beginning of a line; `None` for `unlimited`.
fn number_after(text: &str, word: &str) -> Option<u64> {
    let of = |line: &str| line.strip_prefix(word)?.split_whitespace().next()?.parse().ok();
    text.lines().find_map(of)
}

/// Bytes, where a line says kB.
fn kib(text: &str, word: &str) -> Option<u64> {
    number_after(text, word)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    /// A folder with these files, as they stand below `/`.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        root
    }

    #[track_caller]
    fn memory_is(files: &[(&str, &str)], expected: Option<u64>) {
        assert_eq!(memory(system(files).path()), expected);
    }

    #[track_caller]
    fn threads_are(files: &[(&str, &str)], expected: Option<u64>) {
        assert_eq!(threads(system(files).path()), expected);
    }

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units
Max data size             500000               unlimited            bytes
Max processes             100                  200                  processes
Max address space         409600               unlimited            bytes
";
    const STATUS: &str = "Name:\ta\nUid:\t1000\t1000\t1000\t1000\nVmSize:\t     300 kB\nVmData:\t      10 kB\n\
        Threads:\t7\nCapEff:\t0000000000000000\n";

    #[test]
    fn where_nothing_is_said_nothing_is_known() {
        memory_is(&[], None);
        threads_are(&[], None);
        let unlimited =
            "Max address space         unlimited            unlimited            bytes\n";
        memory_is(&[("proc/self/limits", unlimited), ("proc/self/cgroup", "0::/\n")], None);
    }

    #[test]
    fn the_limits_of_the_process_count() {
        let files = [("proc/self/limits", LIMITS), ("proc/self/status", STATUS)];
        memory_is(&files, Some(409_600 - 300 * 1024));
        threads_are(&files, Some(93));
    }

    #[test]
    fn what_the_machine_has_left_counts() {
        memory_is(&[("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    5 kB\n")], Some(5 * 1024));
    }

    #[test]
    fn the_administrator_may_start_any_number() {
        for (from, to) in
            [("Uid:\t1000", "Uid:\t0"), ("CapEff:\t0000000000", "CapEff:\t0000000001")]
        {
            let status = STATUS.replace(from, to);
            threads_are(&[("proc/self/limits", LIMITS), ("proc/self/status", &status)], None);
        }
    }

    #[test]
    fn every_group_above_counts_and_files_in_memory_do_not() {
        let files = [
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/b/memory.current", "1000\n"),
            ("sys/fs/cgroup/a/memory.max", "5000\n"),
            ("sys/fs/cgroup/a/memory.current", "3000\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 5\nactive_file 400\ninactive_file 600\n"),
            ("sys/fs/cgroup/a/b/pids.max", "12\n"),
            ("sys/fs/cgroup/a/b/pids.current", "2\n"),
            ("sys/fs/cgroup/a/pids.max", "11\n"),
            ("sys/fs/cgroup/a/pids.current", "3\n"),
        ];
        memory_is(&files, Some(3000));
        threads_are(&files, Some(8));
    }

    #[test]
    fn groups_of_the_first_version_count() {
        let files = [
            ("proc/self/cgroup", "4:memory:/x\n3:cpu,pids:/x\n"),
            ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "5000\n"),
            ("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "4500\n"),
            ("sys/fs/cgroup/memory/x/memory.stat", "inactive_file 9\ntotal_inactive_file 100\n"),
            ("sys/fs/cgroup/cpu,pids/x/pids.max", "4\n"),
            ("sys/fs/cgroup/cpu,pids/x/pids.current", "5\n"),
        ];
        memory_is(&files, Some(600));
        threads_are(&files, Some(0));
    }

    #[test]
    fn in_a_container_the_top_counts_and_no_path_leads_out_of_it() {
        for path in ["/docker/no/such", "/../../..", "/a/../..", "not a path"] {
            let lines = format!("0::{path}\nno line\n:\n");
            let files = [("proc/self/cgroup", &*lines), ("sys/fs/cgroup/memory.max", "77\n")];
            memory_is(&files, Some(77));
        }
    }

    #[test]
    fn what_no_machine_has_does_not_fit() {
        assert!(fits(1000) && !fits(u64::MAX) && !fits(isize::MAX as u64 + 1));
    }

    #[test]
    fn all_is_done_once_by_however_many_threads() {
        for threads in [0, 1, 2, 9] {
            let (todo, done) = (Mutex::new(0..1000), AtomicUsize::new(0));
            together(threads, || {
                while let Some(i) = { todo.lock().unwrap().next() } {
                    done.fetch_add(i, Ordering::Relaxed);
                }
            });
            assert_eq!(done.into_inner(), 499_500, "{threads} threads");
        }
    }

    #[test]
    fn a_panic_of_any_thread_arrives() {
        let first = thread::current().id();
        for mine in [true, false] {
            let caught = std::panic::catch_unwind(|| {
                together(2, || assert!((thread::current().id() == first) != mine, "mine: {mine}"));
            });
            let panic = caught.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(*panic, format!("mine: {mine}"));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_system_says_what_it_has() {
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
        assert!(files().is_none_or(|files| files > 3));
    }
}
