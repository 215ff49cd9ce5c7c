//! Asking cargo: the one door through which xtask starts another program. Always offline,
//! so that the gate gives the same answer on a train.

use anyhow::{Context as _, bail};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

/// Budgets are counted for one platform; the others differ by a handful.
const COUNTED_PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// A package as cargo sees it.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `None` for our own.
    pub(crate) source: Option<String>,
    pub(crate) license: Option<String>,
    /// Relative to the workspace; only our own lie in it.
    pub(crate) manifest: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A declared dependency.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) features: Vec<String>,
}

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
}

/// Every package of the closure, and which are ours.
pub(crate) struct Graph {
    pub(crate) ours: Vec<Package>,
    pub(crate) others: Vec<Package>,
    /// Whether crates of other platforms were left out because they are not on this machine.
    pub(crate) host_only: bool,
}

/// Reads the graph.
pub(crate) fn graph(root: &Path) -> anyhow::Result<Graph> {
    const METADATA: [&str; 5] = ["metadata", "--format-version", "1", "--offline", "--locked"];
    let (text, host_only) = match run(root, &METADATA) {
        Ok(text) => (text, false),
        // Crates of other platforms may never have been fetched here.
        Err(_) => {
            let host =
                run(root, &["rustc", "--", "--print", "host-tuple"]).or_else(|_| host(root))?;
            let filtered = [&METADATA[..], &["--filter-platform", host.trim()]].concat();
            (run(root, &filtered)?, true)
        }
    };
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata is not JSON")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let (ours, others) = packages
        .iter()
        .map(|package| read_package(root, package))
        .partition(|package: &Package| package.source.is_none());
    Ok(Graph {
        ours,
        others,
        host_only,
    })
}

/// External crates a package of ours is built from.
pub(crate) fn closure(root: &Path, package: &str) -> anyhow::Result<BTreeSet<String>> {
    let tree = run(
        root,
        &[
            "tree",
            "--offline",
            "--locked",
            "--package",
            package,
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--target",
            COUNTED_PLATFORM,
            "--format",
            "{p}",
        ],
    )?;
    Ok(tree
        .lines()
        // Our own crates are shown with their folder in parentheses.
        .filter(|line| {
            !line.contains('(') || line.ends_with("(proc-macro)") || line.ends_with("(*)")
        })
        .filter_map(|line| line.split(" (").next())
        .filter(|line| !line.is_empty() && !line.starts_with("exai-"))
        .map(str::to_owned)
        .collect())
}

fn host(root: &Path) -> anyhow::Result<String> {
    let version = start(root, "rustc", &["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}

fn run(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    start(
        root,
        &std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()),
        arguments,
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask's one door to other programs"
)]
fn start(root: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {} failed: {}", arguments.join(" "), said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{program} wrote no UTF-8"))
}

fn read_package(root: &Path, package: &Value) -> Package {
    let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let optional = |key: &str| package[key].as_str().map(str::to_owned);
    let manifest = PathBuf::from(text("manifest_path"));
    Package {
        name: text("name"),
        version: text("version"),
        source: optional("source"),
        license: optional("license"),
        manifest: manifest
            .strip_prefix(root)
            .map(Path::to_path_buf)
            .unwrap_or(manifest),
        dependencies: package["dependencies"]
            .as_array()
            .map(|all| all.iter().map(read_dependency).collect())
            .unwrap_or_default(),
    }
}

fn read_dependency(dependency: &Value) -> Dependency {
    Dependency {
        name: dependency["name"].as_str().unwrap_or_default().to_owned(),
        kind: match dependency["kind"].as_str() {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        },
        features: dependency["features"]
            .as_array()
            .map(|all| {
                all.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default(),
    }
}
