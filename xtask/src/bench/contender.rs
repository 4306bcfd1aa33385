//! The contenders: klubok and its peers, each a command that prints one line of JSON.

use std::{path::Path, process::Command};

use super::{floor::Precision, library::Library, setup, workload::Workload};
use crate::process::command;

/// A contender: one row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contender {
    /// Name in tables.
    pub(crate) name: String,
    /// Precision of its matrix products.
    pub(crate) precision: Precision,
    /// The peer and its mode; none for klubok.
    pub(crate) peer: Option<(Library, &'static str)>,
    /// The task.
    pub(crate) task: Task,
}

/// The task to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Training steps.
    Train,
    /// Predictions of batches.
    Infer,
}

/// Resources of each timing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Number of threads.
    pub(crate) threads: usize,
    /// Seconds per timing.
    pub(crate) seconds: f64,
}

/// All requested contenders that can do the task, klubok first.
pub(crate) fn all(task: Task, precisions: &[Precision], libraries: &[Library]) -> Vec<Contender> {
    let klubok = precisions.iter().map(|&precision| Contender {
        name: format!("klubok {}", precision.name()),
        precision,
        peer: None,
        task,
    });
    let peers = libraries.iter().flat_map(|&library| {
        modes(library, task).iter().map(move |&(name, mode, precision)| Contender {
            name: format!("{name} {}", precision.name()),
            precision,
            peer: Some((library, mode)),
            task,
        })
    });
    klubok.chain(peers).collect()
}

fn modes(library: Library, task: Task) -> &'static [(&'static str, &'static str, Precision)] {
    use Precision::{Bf16, F32};
    match (task, library) {
        (Task::Train, Library::Torch) => &[
            ("PyTorch eager", "eager", F32),
            ("PyTorch compiled", "compiled", F32),
            ("PyTorch eager", "eager-bf16", Bf16),
            ("PyTorch compiled", "compiled-bf16", Bf16),
        ],
        (Task::Train, Library::Jax) => &[("JAX", "jit", F32)],
        (Task::Train, Library::Sklearn) => &[("scikit-learn", "adam", F32)],
        (Task::Train, Library::Burn) => &[("Burn", "burn", F32)],
        (Task::Train, Library::Candle) => &[("Candle", "candle", F32)],
        (Task::Infer, Library::Torch) => {
            &[("PyTorch eager", "infer", F32), ("PyTorch compiled", "infer-compiled", F32)]
        }
        (Task::Infer, Library::Onnx) => &[("ONNX Runtime", "infer", F32)],
        _ => &[],
    }
}

impl Contender {
    /// False where a step takes minutes and the contender is known to be slowest.
    pub(crate) fn takes(&self, workload: &Workload) -> bool {
        let slow = matches!(self.peer, Some((Library::Sklearn, _)));
        !(slow && workload.name == "large")
    }

    /// The command that measures the contender.
    pub(crate) fn command(&self, root: &Path, workload: &Workload, run: Run) -> Command {
        let mut command = match self.peer {
            None => {
                let mut klubok = command(root, setup::klubok(root));
                klubok.args(["bench", "--json", "--precision", self.precision.name()]);
                klubok.args((self.task == Task::Infer).then_some("--infer"));
                klubok
            }
            Some((library, mode)) if library.is_rust() => {
                let mut peer = command(root, setup::rust_peers(root));
                peer.arg(mode);
                peer
            }
            Some((library, mode)) => {
                let mut python = command(root, setup::python(root));
                let script = match library {
                    Library::Torch => "torch_peer.py",
                    Library::Jax => "jax_peer.py",
                    Library::Onnx => "onnx_peer.py",
                    _ => "sklearn_peer.py",
                };
                python.arg(root.join(setup::FOLDER).join(script)).args(["--mode", mode]);
                python
            }
        };
        let Run { threads, seconds } = run;
        command.args(["--layers", &workload.layers.to_string()]);
        command.args(["--batch-size", &workload.batch.to_string()]);
        command.args(["--threads", &threads.to_string(), "--seconds", &seconds.to_string()]);
        if self.peer.is_some() {
            environment(&mut command, root, threads);
        }
        command
    }
}

/// Sets the environment that suits the peers: the number of threads, no forced kernels, and a cache
/// of compiled code.
pub(crate) fn environment(command: &mut Command, root: &Path, threads: usize) {
    for name in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"] {
        command.env_remove(name);
    }
    for name in ["OMP", "MKL", "OPENBLAS", "RAYON"] {
        command.env(format!("{name}_NUM_THREADS"), threads.to_string());
    }
    // By default the C library returns large blocks to the system at once and gets them back, page
    // by page, in the next step. Libraries that allocate a tensor per operation lose up to half
    // their time that way.
    command.env("MALLOC_MMAP_MAX_", "0").env("MALLOC_TRIM_THRESHOLD_", "-1");
    command.env("TORCHINDUCTOR_CACHE_DIR", root.join(setup::OUTPUT).join("inductor"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::bench::workload;

    #[test]
    fn klubok_comes_first_and_names_differ() {
        let contenders =
            all(Task::Train, &[Precision::F32, Precision::Bf16], Library::value_variants());
        assert_eq!(contenders[1].name, "klubok bf16");
        let mut names: Vec<_> = contenders.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), contenders.len());
    }

    #[test]
    fn commands_name_network_batch_threads_and_seconds() {
        let workload = &workload::chosen(&["tiny".to_owned()], None).unwrap()[0];
        let run = Run { threads: 2, seconds: 0.5 };
        for contender in all(Task::Train, &[Precision::F32], &[Library::Burn, Library::Jax]) {
            let command = contender.command(Path::new("/root"), workload, run);
            let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
            let expected =
                "--layers 784-32-10 --batch-size 32 --threads 2 --seconds 0.5".split(' ');
            assert!(arguments.iter().rev().zip(expected.rev()).all(|(a, b)| a == b));
        }
    }

    #[test]
    fn only_some_contenders_predict() {
        let contenders = all(Task::Infer, &[Precision::F32], Library::value_variants());
        let names: Vec<_> = contenders.iter().map(|c| c.name.as_str()).collect();
        let expected =
            ["klubok f32", "PyTorch eager f32", "PyTorch compiled f32", "ONNX Runtime f32"];
        assert_eq!(names, expected);
        let workload = &workload::chosen(&["tiny".to_owned()], None).unwrap()[0];
        let run = Run { threads: 1, seconds: 0.5 };
        let command = contenders[0].command(Path::new("/root"), workload, run);
        assert!(command.get_args().any(|argument| argument == "--infer"));
    }

    #[test]
    fn scikit_learn_skips_the_largest_workload() {
        let names = ["large".to_owned(), "toy".to_owned()];
        let workloads = workload::chosen(&names, None).unwrap();
        let sklearn = &all(Task::Train, &[], &[Library::Sklearn])[0];
        assert_eq!(workloads.iter().map(|w| sklearn.takes(w)).collect::<Vec<_>>(), [false, true]);
    }
}
