//! The licences of the libraries in a program, with their texts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{process::cargo, process::output, test::host};

/// Beginnings of the names of files with a licence.
const FILES: [&str; 5] = ["licen", "copying", "notice", "unlicense", "copyright"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// None of a package of this workspace.
    source: Option<String>,
    manifest_path: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// None of a normal dependency.
    kind: Option<String>,
}

/// Returns the licences of all packages from elsewhere that a package is built from. A text that
/// several have stands once.
///
/// # Errors
/// When cargo fails, or a package has neither a licence nor its text.
pub(super) fn of(root: &Path, package: &str) -> Result<String> {
    let target = host(root)?;
    let arguments = ["metadata", "--locked", "--format-version=1", "--filter-platform", &target];
    let metadata: Metadata = serde_json::from_str(&output(cargo(root).args(arguments))?)?;
    let used = used(&metadata, package)?;
    let packages = metadata.packages.iter().filter(|p| p.source.is_some() && used.contains(&*p.id));
    let mut list = String::from("klubok contains these libraries. Their licences follow.\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("see its text");
        writeln!(list, "{name}: {licence}")?;
        let found = texts_of(Path::new(&package.manifest_path))?;
        found.into_iter().for_each(|text| texts.entry(text).or_default().push(name.clone()));
    }
    for (text, names) in texts {
        write!(list, "\n{}\n{}\n\n{text}\n", "-".repeat(80), names.join(", "))?;
    }
    Ok(list)
}

/// Returns the identities of a package and of all that is built into it.
fn used<'a>(metadata: &'a Metadata, package: &str) -> Result<BTreeSet<&'a str>> {
    let own = metadata.packages.iter().find(|p| p.name == package && p.source.is_none());
    let own = own.with_context(|| format!("there is no package `{package}`"))?;
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (&*node.id, node)).collect();
    let (mut used, mut open) = (BTreeSet::from([&*own.id]), vec![&*own.id]);
    while let Some(id) = open.pop() {
        let deps = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        let built_in = deps.filter(|dep| dep.dep_kinds.iter().any(|of| of.kind.is_none()));
        open.extend(built_in.map(|dep| &*dep.pkg).filter(|id| used.insert(id)));
    }
    Ok(used)
}

/// Returns the texts beside a manifest, in order.
fn texts_of(manifest: &Path) -> Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    for entry in fs_err::read_dir(manifest.parent().unwrap_or(manifest))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if FILES.iter().any(|start| name.starts_with(start)) && entry.file_type()?.is_file() {
            texts.insert(fs_err::read_to_string(entry.path())?.trim().replace("\r\n", "\n"));
        }
    }
    Ok(texts)
}
