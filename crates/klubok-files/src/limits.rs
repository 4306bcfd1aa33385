//! Reads the memory and thread limits of this process. Linux exposes them as files; elsewhere they
//! are unknown.
//!
//! The smallest limit applies: the machine's free memory, the process limits (`ulimit`), and the
//! limits of its control groups. Other processes share these resources, so the values may change at
//! any time.

use std::{
    path::{Component, Path, PathBuf},
    thread,
};

use klubok_nn::PlanError;

use crate::bounded;

/// Maximum bytes of a system file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Reserve for small allocations. Without it the next one would abort the process without a
/// message.
const RESERVE_BYTES: u64 = 4 << 20;
/// Maximum memory of a thread besides its work: its stack and its own heap.
const THREAD_BYTES: u64 = 128 << 20;

/// Returns the bytes of memory that this process may still allocate.
pub fn available_memory() -> Option<u64> {
    memory(Path::new("/"))
}

/// Returns the maximum bytes of a tensor file: half of the available memory, since reading holds
/// the numbers twice.
pub fn max_tensor_file_bytes() -> u64 {
    available_memory().map_or(u64::MAX, |bytes| bytes / 2)
}

/// As [`available_memory`], without the process limits. The system enforces those, but it
/// overcommits the memory of the machine and of control groups.
pub fn machine_memory() -> Option<u64> {
    machine(Path::new("/"))
}

/// Returns the threads that this process may still start. Threads of the same user's other
/// processes reduce them further.
pub fn available_threads() -> Option<u64> {
    threads(Path::new("/"))
}

/// Returns the maximum open files of this process. None if it is unknown or unlimited.
pub fn max_open_files() -> Option<u64> {
    number_after(&read(Path::new("/proc/self/limits")), "Max open files")
}

/// Returns true if this many bytes are available, as far as the system reports.
pub fn fits_in_memory(bytes: u64) -> bool {
    isize::try_from(bytes).is_ok()
        && available_memory()
            .is_none_or(|available| bytes.saturating_add(RESERVE_BYTES) <= available)
}

/// Rejects a network that needs more than the available memory.
///
/// # Errors
/// [`PlanError::Memory`].
pub fn check_network(bytes: u64) -> Result<(), PlanError> {
    let needed = bytes.saturating_add(RESERVE_BYTES);
    let memory = || PlanError::Memory { needed, available: available_memory() };
    fits_in_memory(bytes).then_some(()).ok_or_else(memory)
}

/// Runs `work` on `threads` threads at once, this one included, or on fewer if the system allows no
/// more. Each call of `work` takes tasks until none is left, so the thread count only affects the
/// time.
///
/// # Panics
/// When `work` does.
pub fn run_on_threads(threads: usize, work: impl Fn() + Sync) {
    let most = available_memory().map_or(u64::MAX, |available| available / THREAD_BYTES);
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
    let rest = |limit, taken| remaining(number_after(&limits, limit), kib_to_bytes(&status, taken));
    let process = [rest("Max address space", "VmSize:"), rest("Max data size", "VmData:")];
    process.into_iter().chain([machine(root)]).flatten().min()
}

fn machine(root: &Path) -> Option<u64> {
    let all = kib_to_bytes(&read(&root.join("proc/meminfo")), "MemAvailable:");
    let groups = groups(root, "memory").map(|group| {
        // The system reclaims the page cache when memory is short.
        let stat = read(&group.join("memory.stat"));
        let of = |names: [&str; 2]| names.iter().find_map(|name| number_after(&stat, name));
        let files =
            [["total_active_file", "active_file"], ["total_inactive_file", "inactive_file"]]
                .map(|names| of(names).unwrap_or(0));
        let taken = number(&group, ["memory.current", "memory.usage_in_bytes"]);
        let taken = taken.map(|taken| taken.saturating_sub(files.iter().sum()));
        remaining(number(&group, ["memory.max", "memory.limit_in_bytes"]), taken)
    });
    groups.chain([all]).flatten().min()
}

fn threads(root: &Path) -> Option<u64> {
    let status = read(&root.join("proc/self/status"));
    let limit = number_after(&read(&root.join("proc/self/limits")), "Max processes");
    let process =
        remaining(limit.filter(|_| !is_superuser(&status)), number_after(&status, "Threads:"));
    let groups = groups(root, "pids").map(|group| {
        remaining(number(&group, ["pids.max"; 2]), number(&group, ["pids.current"; 2]))
    });
    groups.chain([process]).flatten().min()
}

/// Returns true for a superuser, whose processes the system does not limit.
fn is_superuser(status: &str) -> bool {
    let of = |name| status.lines().find_map(|line| line.strip_prefix(name));
    let user = of("Uid:").and_then(|ids| ids.split_whitespace().next()) == Some("0");
    let rights = of("CapEff:").and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    // CAP_SYS_ADMIN and CAP_SYS_RESOURCE.
    user || rights.is_some_and(|rights| rights & (1 << 21 | 1 << 24) != 0)
}

/// Returns the folders of this process's control groups that limit `what`, innermost first.
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
        // In a container the path may be the host's, and only the top folder is readable.
        let path = Path::new(path.trim_start_matches('/'));
        let inner = path.components().all(|part| matches!(part, Component::Normal(_)));
        let path = if inner { path } else { Path::new("") };
        let all = tops.iter().flat_map(|top| path.ancestors().map(|part| top.join(part)));
        folders.extend(all);
    }
    folders.into_iter()
}

fn read(file: &Path) -> String {
    bounded::read_to_string(file, MAX_FILE_BYTES).unwrap_or_default()
}

/// Returns the rest of a limit, if there is one.
fn remaining(limit: Option<u64>, taken: Option<u64>) -> Option<u64> {
    limit.map(|limit| limit.saturating_sub(taken.unwrap_or(0)))
}

/// Returns the number in the first of these files that holds one; `None` for `max`, too.
fn number(folder: &Path, files: [&str; 2]) -> Option<u64> {
    files.iter().find_map(|file| read(&folder.join(file)).trim().parse().ok())
}

/// Returns the number after a word at the start of a line; `None` for `unlimited`.
fn number_after(text: &str, word: &str) -> Option<u64> {
    let of = |line: &str| line.strip_prefix(word)?.split_whitespace().next()?.parse().ok();
    text.lines().find_map(of)
}

/// Converts a value in kB to bytes.
fn kib_to_bytes(text: &str, word: &str) -> Option<u64> {
    number_after(text, word)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    /// Creates a folder with these files, as below `/`.
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
    fn unreported_limits_are_unknown() {
        memory_is(&[], None);
        threads_are(&[], None);
        let unlimited =
            "Max address space         unlimited            unlimited            bytes\n";
        memory_is(&[("proc/self/limits", unlimited), ("proc/self/cgroup", "0::/\n")], None);
    }

    #[test]
    fn process_limits_apply() {
        let files = [("proc/self/limits", LIMITS), ("proc/self/status", STATUS)];
        memory_is(&files, Some(409_600 - 300 * 1024));
        threads_are(&files, Some(93));
    }

    #[test]
    fn the_free_memory_of_the_machine_applies() {
        memory_is(&[("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    5 kB\n")], Some(5 * 1024));
    }

    #[test]
    fn superusers_have_no_thread_limit() {
        for (from, to) in
            [("Uid:\t1000", "Uid:\t0"), ("CapEff:\t0000000000", "CapEff:\t0000000001")]
        {
            let status = STATUS.replace(from, to);
            threads_are(&[("proc/self/limits", LIMITS), ("proc/self/status", &status)], None);
        }
    }

    #[test]
    fn all_ancestor_groups_apply_without_the_page_cache() {
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
    fn version_1_groups_apply() {
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
    fn in_a_container_only_the_top_group_applies() {
        for path in ["/docker/no/such", "/../../..", "/a/../..", "not a path"] {
            let lines = format!("0::{path}\nno line\n:\n");
            let files = [("proc/self/cgroup", &*lines), ("sys/fs/cgroup/memory.max", "77\n")];
            memory_is(&files, Some(77));
        }
    }

    #[test]
    fn impossible_sizes_do_not_fit() {
        assert!(
            fits_in_memory(1000)
                && !fits_in_memory(u64::MAX)
                && !fits_in_memory(isize::MAX as u64 + 1)
        );
    }

    #[test]
    fn any_number_of_threads_runs_each_task_once() {
        for threads in [0, 1, 2, 9] {
            let (todo, done) = (Mutex::new(0..1000), AtomicUsize::new(0));
            run_on_threads(threads, || {
                while let Some(i) = { todo.lock().unwrap().next() } {
                    done.fetch_add(i, Ordering::Relaxed);
                }
            });
            assert_eq!(done.into_inner(), 499_500, "{threads} threads");
        }
    }

    #[test]
    fn panics_propagate_from_any_thread() {
        let first = thread::current().id();
        for mine in [true, false] {
            let caught = std::panic::catch_unwind(|| {
                run_on_threads(2, || {
                    assert!((thread::current().id() == first) != mine, "mine: {mine}");
                });
            });
            let panic = caught.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(*panic, format!("mine: {mine}"));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_reports_its_limits() {
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
        assert!(max_open_files().is_none_or(|files| files > 3));
    }
}
