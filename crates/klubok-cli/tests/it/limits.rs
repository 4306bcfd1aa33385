//! With few threads or little memory, commands fail with a hint or give the same result.

use std::process::Stdio;

use crate::util::{Place, Ran, TINY};

/// Runs the command with so many KiB of address space.
#[track_caller]
fn with_memory(place: &Place, kib: u32, args: &[&str]) -> Ran {
    let script = format!("ulimit -v {kib}; exec \"$@\"");
    let command = place.command(args);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(place.path("")).stdin(Stdio::null()).env("LC_ALL", "C");
    let output = shell.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let ran = Ran { code: output.status.code(), stdout, stderr };
    assert!(matches!(ran.code, Some(0 | 1)), "{kib} KiB, {args:?}: {:?} {}", ran.code, ran.stderr);
    assert!(!ran.stderr.contains("has a defect"), "{kib} KiB, {args:?}: {}", ran.stderr);
    ran
}

#[track_caller]
fn refused(ran: &Ran, message: &str, hint: &str) {
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains(message) && ran.stderr.contains(hint), "{}", ran.stderr);
}

#[test]
fn too_many_threads_are_refused_with_a_hint() {
    let place = Place::with_pets();
    let args = [&["train", "pets", "--threads", "1000"], &TINY[..]].concat();
    let ran = with_memory(&place, 400_000, &args);
    refused(&ran, "1000 threads were asked for, the system gives", "--threads N");
    let bench = ["bench", "--layers", "16-8-2", "--seconds", "0.1", "--threads", "1000"];
    refused(&with_memory(&place, 400_000, &bench), "1000 threads were asked for", "--threads N");
}

#[test]
fn too_little_memory_is_refused_with_a_hint() {
    let place = Place::with_pets();
    let train = |more: &[&str]| {
        let args = [&["train", "pets", "--epochs", "1", "--threads", "2"], more].concat();
        with_memory(&place, 400_000, &args)
    };
    refused(&train(&["--hidden", "6000,6000"]), "the network needs about", "--hidden");
    refused(&train(&["--hidden", "1000000,1000000"]), "the network needs about", "--hidden");
    let wide = ["--set", "data.size=2048", "--set", "data.color=rgb", "--hidden", "2"];
    refused(&train(&wide), "60 rows need 720 MiB of memory", "data.size");
}

#[test]
fn with_little_memory_commands_succeed_or_fail_with_a_hint() {
    let place = Place::with_pets();
    place.train(&["-o", "made"]);
    for kib in [120_000, 200_000, 300_000, 500_000, 900_000] {
        for threads in ["2", "16"] {
            let args = [&["train", "pets", "--threads", threads], &TINY[..]].concat();
            let trained = with_memory(&place, kib, &args);
            let predicted =
                with_memory(&place, kib, &["predict", "made", "pets", "--threads", threads]);
            for ran in [trained, predicted] {
                assert!(ran.code == Some(0) || ran.stderr.contains("hint: "), "{}", ran.stderr);
            }
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_predictions() {
    let place = Place::with_pets();
    place.train(&["-o", "made"]);
    let predict = ["predict", "made", "pets", "--json", "--threads"];
    let one = place.ok(&[&predict[..], &["1"]].concat());
    let many = place.ok(&[&predict[..], &["8"]].concat());
    assert_eq!(one.stdout, many.stdout);
}
