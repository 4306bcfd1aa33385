//! `cargo xtask dist`: makes what people install, in `target/dist`.
//!
//! `klubok-VERSION-TARGET.tar.gz` holds the program, its completions, its manual and the licences
//! of all it is made of; `SHA256SUMS` has the checksums. The same sources and the same compiler in
//! the same folder make the same archive.

mod licences;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{
    process::{cargo, command, output, succeeds},
    test::host,
};

/// Folder of the results, from the project's root.
const FOLDER: &str = "target/dist";
/// Package of the program.
const PACKAGE: &str = "klubok-cli";
/// The libraries that the program may need: those of the C library.
const C_LIBRARY: [&str; 6] =
    ["libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "ld-linux"];
/// Shells and the files that they read completions from.
const COMPLETIONS: [(&str, &str); 5] = [
    ("bash", "klubok.bash"),
    ("elvish", "klubok.elv"),
    ("fish", "klubok.fish"),
    ("powershell", "_klubok.ps1"),
    ("zsh", "_klubok"),
];
/// Starts of the program that are timed.
const STARTS: usize = 41;

/// Makes everything; false if a build fails.
///
/// # Errors
/// When the program needs another library, or something cannot be written or started.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let Some(program) = build(root)? else { return Ok(false) };
    check_libraries(&output(command(root, "readelf").arg("-d").arg(&program))?)?;
    let dist = root.join(FOLDER);
    if dist.exists() {
        fs_err::remove_dir_all(&dist)?;
    }
    let version = output(command(root, &program).arg("--version"))?;
    let version = version.split_whitespace().nth(1).context("klubok has no version")?;
    let name = format!("klubok-{version}-{}", host(root)?);
    fill(root, &program, &dist.join(&name))?;
    archive(root, &dist, &name)?;
    if !wheels(root, &dist)? {
        return Ok(false);
    }
    sums(root, &dist)?;
    report(root, &dist, &program)?;
    Ok(true)
}

/// Builds the program and returns its path. On Linux, the compiler's own library for unwinding is
/// linked into it: the Rust library would load it otherwise.
fn build(root: &Path) -> Result<Option<PathBuf>> {
    let mut build = cargo(root);
    build.args(["rustc", "--release", "--locked", "--package", PACKAGE, "--bin", "klubok"]);
    if cfg!(target_os = "linux") {
        build.args(["--", "-l", "static:+verbatim=libgcc_eh.a"]);
    }
    Ok(succeeds(&mut build)?.then(|| root.join("target/release/klubok")))
}

/// Refuses a program that needs more than the C library. Takes the output of `readelf -d`.
fn check_libraries(dynamic: &str) -> Result<()> {
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    let names = needed.filter_map(|line| line.split_once('[')?.1.split(']').next());
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        bail!("readelf names no library that the program needs");
    }
    let others: Vec<&&str> =
        names.iter().filter(|name| !C_LIBRARY.iter().any(|own| name.starts_with(own))).collect();
    if !others.is_empty() {
        bail!("the program needs more than the C library: {others:?}");
    }
    println!("needs {}", names.join(", "));
    Ok(())
}

/// Fills the folder that becomes the archive.
fn fill(root: &Path, program: &Path, folder: &Path) -> Result<()> {
    let [completions, manual] = ["completions", "man"].map(|name| folder.join(name));
    fs_err::create_dir_all(&completions)?;
    fs_err::create_dir_all(&manual)?;
    fs_err::copy(program, folder.join("klubok"))?;
    for name in ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md"] {
        fs_err::copy(root.join(name), folder.join(name))?;
    }
    for (shell, file) in COMPLETIONS {
        let script = output(english(root, program).args(["completions", shell]))?;
        fs_err::write(completions.join(file), script)?;
    }
    fs_err::write(manual.join("klubok.1"), output(english(root, program).arg("man"))?)?;
    fs_err::write(folder.join("LICENSES-OF-LIBRARIES"), licences::of(root, PACKAGE)?)?;
    Ok(())
}

/// The program in English, whatever the locale.
fn english(root: &Path, program: &Path) -> std::process::Command {
    let mut klubok = command(root, program);
    klubok.args(["--lang", "en"]);
    klubok
}

/// Packs a folder. Order, owners and times do not depend on the machine: the time is that of the
/// last commit.
fn archive(root: &Path, dist: &Path, name: &str) -> Result<()> {
    let time = output(command(root, "git").args(["log", "-1", "--format=%ct"]))?;
    let time = format!("--mtime=@{}", time.trim());
    let owners = ["--owner=0", "--group=0", "--numeric-owner", "--mode=u+w,go=rX"];
    let file = dist.join(format!("{name}.tar"));
    let mut tar = command(dist, "tar");
    tar.args(["--sort=name", "--format=ustar", &time]).args(owners);
    let is_packed = succeeds(tar.arg("-cf").arg(&file).arg(name))?
        && succeeds(command(dist, "gzip").args(["-n", "-9"]).arg(&file))?;
    if !is_packed {
        bail!("{} could not be packed", file.display());
    }
    fs_err::remove_dir_all(dist.join(name)).context("cannot clean up")
}

/// Builds the wheels of the Python package, if there is one. False if that fails.
fn wheels(root: &Path, dist: &Path) -> Result<bool> {
    let project = root.join("python");
    if !project.join("pyproject.toml").exists() {
        return Ok(true);
    }
    let environment = root.join("target/dist-venv");
    let maturin = environment.join("bin/maturin");
    let made = maturin.exists()
        || succeeds(command(root, "python3").args(["-m", "venv"]).arg(&environment))?
            && succeeds(
                command(root, environment.join("bin/python"))
                    .args(["-m", "pip", "install", "--quiet", "maturin"]),
            )?;
    if !made {
        bail!("this needs python3 with `venv`, and maturin from PyPI");
    }
    let mut wheel = command(&project, maturin);
    wheel.args(["build", "--release", "--locked", "--strip", "--out"]).arg(dist);
    succeeds(&mut wheel)
}

/// Writes the checksums of all files.
fn sums(root: &Path, dist: &Path) -> Result<()> {
    let sums = output(command(dist, "sha256sum").args(files(dist)?))?;
    fs_err::write(dist.join("SHA256SUMS"), sums)?;
    let check = ["--check", "--quiet", "SHA256SUMS"];
    if !succeeds(command(dist, "sha256sum").args(check))? {
        bail!("the checksums in {} do not agree", root.join(FOLDER).display());
    }
    Ok(())
}

/// Names of the files in a folder, in order.
fn files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Prints sizes, and how long the program takes to start.
fn report(root: &Path, dist: &Path, program: &Path) -> Result<()> {
    let size = |path: &Path| Ok::<_, anyhow::Error>(fs_err::metadata(path)?.len() as f64 / 1e6);
    println!("\n{:<48} {:>6.1} MB", "klubok", size(program)?);
    for name in files(dist)? {
        println!("{name:<48} {:>6.1} MB", size(&dist.join(&name))?);
    }
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        output(command(root, program).arg("--version"))?;
        times.push(start.elapsed());
    }
    times.sort();
    println!("klubok --version: {:.1} ms (median)", 1e3 * times[STARTS / 2].as_secs_f64());
    println!("all in {}", dist.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_libraries;

    #[test]
    fn a_program_may_need_the_c_library_alone() {
        let line = |name: &str| format!(" 0x01 (NEEDED)  Shared library: [{name}]\n");
        let fine = line("libc.so.6") + &line("libm.so.6") + &line("ld-linux-x86-64.so.2");
        check_libraries(&fine).unwrap();
        let error = check_libraries(&(fine + &line("libgcc_s.so.1"))).unwrap_err().to_string();
        assert!(error.contains("libgcc_s"), "{error}");
        check_libraries("there is no dynamic section").unwrap_err();
    }
}
