//! Dependencies point downward only. This table is the architecture; a new edge is a change
//! of it and belongs in `crates/README.md` too.

use crate::{
    cargo::{Graph, Kind, Package},
    fault::Fault,
};

/// Who may depend on whom, of our own. The second list holds for tests only.
const ALLOWED: [(&str, &[&str], &[&str]); 15] = [
    ("exai-protocol", &[], &[]),
    ("exai-engine", &["exai-protocol"], &[]),
    (
        "exai-server",
        &["exai-protocol", "exai-engine"],
        &["exai-client"],
    ),
    ("exai-client", &["exai-protocol"], &[]),
    ("exai-tools", &["exai-protocol", "exai-engine"], &[]),
    (
        "exai-llm",
        &["exai-protocol", "exai-engine"],
        &["exai-testkit"],
    ),
    ("exai-store", &["exai-protocol", "exai-engine"], &[]),
    ("exai-config", &["exai-protocol"], &[]),
    ("exai-telemetry", &["exai-protocol"], &[]),
    (
        "exai-daemon",
        &[
            "exai-protocol",
            "exai-engine",
            "exai-server",
            "exai-client",
            "exai-tools",
            "exai-config",
            "exai-llm",
            "exai-store",
            "exai-telemetry",
        ],
        &["exai-testkit"],
    ),
    (
        "exai-shim",
        &[
            "exai-protocol",
            "exai-client",
            "exai-config",
            "exai-telemetry",
        ],
        &["exai-testkit"],
    ),
    ("exai-testkit", &["exai-protocol"], &[]),
    (
        "exai-tests",
        &["exai-protocol", "exai-llm", "exai-shim"],
        &["exai-client", "exai-testkit"],
    ),
    // Never shipped either: it looks at the product from outside, as tests do.
    ("exai-torture", &["exai-testkit"], &[]),
    (
        "xtask",
        &["exai-protocol", "exai-engine", "exai-config", "exai-tools"],
        &[],
    ),
];

pub(super) fn check(graph: &Graph, faults: &mut Vec<Fault>) {
    for package in &graph.ours {
        match ALLOWED.iter().find(|(name, ..)| *name == package.name) {
            Some((_, always, in_tests)) => check_package(graph, package, always, in_tests, faults),
            None => faults.push(Fault::new(
                &package.manifest,
                1,
                format!("crate '{}' has no place in the dependency table", package.name),
                "add a row to ALLOWED in crates/xtask/src/tidy/edges.rs and a paragraph to crates/README.md",
            )),
        }
    }
}

fn check_package(
    graph: &Graph,
    package: &Package,
    always: &[&str],
    in_tests: &[&str],
    faults: &mut Vec<Fault>,
) {
    let ours = |name: &str| graph.ours.iter().any(|package| package.name == name);
    for dependency in package
        .dependencies
        .iter()
        .filter(|dependency| ours(&dependency.name))
    {
        let name = dependency.name.as_str();
        let allowed =
            always.contains(&name) || (dependency.kind == Kind::Dev && in_tests.contains(&name));
        if !allowed {
            let kind = if dependency.kind == Kind::Dev {
                "in its tests "
            } else {
                ""
            };
            faults.push(Fault::new(
                &package.manifest,
                1,
                format!(
                    "'{}' must not {kind}depend on '{name}': edges point downward only",
                    package.name
                ),
                "move what is needed to a lower crate, or behind a port of exai-engine",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::Dependency;

    fn package(name: &str, dependencies: &[(&str, Kind)]) -> Package {
        Package {
            name: name.to_owned(),
            version: String::new(),
            source: None,
            license: None,
            manifest: format!("crates/{name}/Cargo.toml").into(),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency {
                    name: (*name).to_owned(),
                    kind: *kind,
                    features: Vec::new(),
                })
                .collect(),
        }
    }

    fn faults(ours: Vec<Package>) -> Vec<String> {
        let mut faults = Vec::new();
        check(
            &Graph {
                ours,
                others: Vec::new(),
                host_only: false,
            },
            &mut faults,
        );
        faults.into_iter().map(|fault| fault.what).collect()
    }

    #[test]
    fn an_edge_that_points_upward_is_a_fault() {
        let found = faults(vec![
            package(
                "exai-protocol",
                &[("exai-engine", Kind::Normal), ("serde", Kind::Normal)],
            ),
            package("exai-engine", &[("exai-protocol", Kind::Normal)]),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("'exai-protocol' must not depend on 'exai-engine'"));
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        let kit = || package("exai-testkit", &[]);
        assert!(
            faults(vec![
                kit(),
                package("exai-shim", &[("exai-testkit", Kind::Dev)])
            ])
            .is_empty()
        );
        assert_eq!(
            faults(vec![
                kit(),
                package("exai-shim", &[("exai-testkit", Kind::Normal)])
            ])
            .len(),
            1
        );
    }

    #[test]
    fn an_unknown_crate_is_a_fault() {
        assert!(faults(vec![package("exai-utils", &[])])[0].contains("no place"));
    }
}
