//! Nothing that only holds on one machine is committed.

use regex::Regex;

use super::{files, none, read, root};

#[test]
fn no_path_of_a_machine_is_committed() {
    let here = root().to_str().unwrap().to_owned();
    let homes = Regex::new(r"(^|[^\w.])/(work|farm|root/\.|Users|home/[a-z][\w-]*)/").unwrap();
    // What a person's account is called in documents about ordinary accounts.
    let spoken = Regex::new(r"/home/(berth|tenant|t[0-9a-f]{16})/").unwrap();
    let mut problems = Vec::new();
    for name in texts() {
        for (at, line) in read(&name).lines().enumerate() {
            if line.contains(&here) || (homes.is_match(line) && !spoken.is_match(line)) {
                problems.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    none(&problems, "a path of somebody's machine:");
}

/// Packages come from where each tool looks by itself; where that is, is the machine's business.
#[test]
fn no_registry_is_named() {
    let settings = Regex::new(r"(?i)--(extra-)?index-url|\bindex-url\s*=|\bregistry\s*=\s*.?https?:|replace-with\s*=|--trusted-host|--registry[ =]https?:|\bnpm_config_registry\b").unwrap();
    let own = "tests/tests/all/tidy/paths.rs";
    let mut problems = Vec::new();
    for name in texts().into_iter().filter(|name| name != own) {
        for (at, line) in read(&name).lines().enumerate() {
            if settings.is_match(line) {
                problems.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    let elsewhere = read("Cargo.lock")
        .lines()
        .filter(|line| {
            line.starts_with("source = ")
                && !line.contains("registry+https://github.com/rust-lang/crates.io-index")
        })
        .map(str::to_owned)
        .collect::<Vec<_>>();
    problems.extend(elsewhere);
    none(&problems, "a registry or mirror of somebody's own:");
}

/// Tracked files that are text, without the lock file (names and hashes only) and the licence.
fn texts() -> Vec<String> {
    files()
        .into_iter()
        .filter(|name| name != "Cargo.lock" && name != "LICENSE")
        .filter(|name| {
            std::fs::read(root().join(name)).is_ok_and(|bytes| std::str::from_utf8(&bytes).is_ok())
        })
        .collect()
}
