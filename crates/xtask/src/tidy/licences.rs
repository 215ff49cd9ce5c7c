//! Every crate of the closure can be used under a licence of this list. Read from cargo's
//! own metadata, so the check needs no network and no further tool.

use crate::{cargo::Graph, fault::Fault};

/// Permissive licences only. CDLA-Permissive is for data: Mozilla's list of certificates, which
/// rustls takes where a platform has none of its own; it asks for its text to be kept with it.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

pub(super) fn check(graph: &Graph, faults: &mut Vec<Fault>) {
    for package in graph.others.iter().chain(&graph.ours) {
        let expression = package.license.as_deref().unwrap_or_default();
        if !satisfied(expression) {
            faults.push(Fault::new(
                "Cargo.lock",
                1,
                format!("{} {}: licence '{expression}' is not on the list", package.name, package.version),
                "replace the crate, or have the licence reviewed and add it to crates/xtask/src/tidy/licences.rs",
            ));
        }
    }
}

/// Whether some choice the expression offers uses listed licences only.
fn satisfied(expression: &str) -> bool {
    // Before SPDX expressions, a slash meant "or".
    let expression = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = expression.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at) == Some(true) && at == words.len()
}

/// `None` where the expression is malformed.
fn either(words: &[&str], at: &mut usize) -> Option<bool> {
    let mut good = both(words, at)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        good |= both(words, at)?;
    }
    Some(good)
}

fn both(words: &[&str], at: &mut usize) -> Option<bool> {
    let mut good = one(words, at)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        good &= one(words, at)?;
    }
    Some(good)
}

fn one(words: &[&str], at: &mut usize) -> Option<bool> {
    let first = words.get(*at)?;
    *at += 1;
    if *first == "(" {
        let good = either(words, at)?;
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return closed.then_some(good);
    }
    let mut good = ALLOWED.contains(first);
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1)?;
        *at += 2;
        // An exception only ever gives more freedom.
        good |= ALLOWED.contains(&format!("{first} WITH {exception}").as_str());
    }
    Some(good)
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    #[test]
    fn expressions_are_read_as_choices() {
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
        ] {
            assert!(satisfied(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "(MIT OR Apache-2.0) AND MPL-2.0",
            "MIT OR",
            "(MIT",
        ] {
            assert!(!satisfied(bad), "{bad}");
        }
    }
}
