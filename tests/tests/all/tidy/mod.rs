//! Rules of the house as tests: they read sources, manifests and documents, and need no server.
//!
//! An exception is a line in `tests/tidy_exceptions.toml`, with its reason; one that is no longer
//! needed fails the test too, so that the list only shrinks.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

pub(crate) mod activities;
mod alerts;
pub(crate) mod compose;
mod dependencies;
mod documents;
mod exceptions;
mod files;
mod key_code;
mod network;
mod paths;
mod rooms;
mod schema;
mod sql;
mod states;
mod watchlist;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the work tree.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every file that is in the repository or would be added to it, relative to the top.
fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        listed.status.success(),
        "git ls-files failed; these tests need a clone"
    );
    let names: BTreeSet<String> = String::from_utf8(listed.stdout)
        .unwrap()
        .split('\0')
        .filter(|name| !name.is_empty() && root().join(name).is_file())
        .map(str::to_owned)
        .collect();
    names.into_iter().collect()
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e == extension)
}

/// Rust sources below the given folders.
fn sources(folders: &[&str]) -> Vec<String> {
    files()
        .into_iter()
        .filter(|name| has_extension(name, "rs") && folders.iter().any(|f| name.starts_with(f)))
        .collect()
}

/// Rust sources of the product: without the tests' own crate, and without modules that only exist
/// in tests.
fn product_sources() -> Vec<String> {
    let sources: Vec<String> = files()
        .into_iter()
        .filter(|name| has_extension(name, "rs") && !name.starts_with("tests/"))
        .collect();
    let in_tests: Vec<String> = sources.iter().flat_map(|file| test_modules(file)).collect();
    sources
        .into_iter()
        .filter(|name| {
            !in_tests.iter().any(|module| {
                name == &format!("{module}.rs") || name.starts_with(&format!("{module}/"))
            })
        })
        .collect()
}

/// Paths, without extension, of the modules that a file declares for tests alone.
fn test_modules(file: &str) -> Vec<String> {
    let declared =
        regex::Regex::new(r"#\[cfg\(test\)\]\s*(?:pub(?:\([a-z]+\))? )?mod (\w+);").unwrap();
    let path = Path::new(file);
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let folder = path.parent().unwrap();
    let folder = match stem {
        "mod" | "lib" | "main" => folder.to_owned(),
        _ => folder.join(stem),
    };
    declared
        .captures_iter(&read(file))
        .map(|c| folder.join(&c[1]).to_str().unwrap().to_owned())
        .collect()
}

/// Lines of a Rust file that are code, numbered from 1: no comments, and nothing after the file's
/// own test module.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .map(|(at, line)| (at + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Fails with the whole list, so that one run shows everything.
#[track_caller]
fn none(problems: &[String], advice: &str) {
    assert!(problems.is_empty(), "{advice}\n  {}", problems.join("\n  "));
}
